"""The throwaway process of `preflight`: imports what is named, prints a line of JSON for each."""

from __future__ import annotations

import json
import os
import sys

from netsim.runtime.programs import ProgramError, look_up


def main() -> None:
    """Arguments: the folder of the topology file, then the references in order."""
    folder, *references = sys.argv[1:]
    sys.path.insert(0, folder)
    # What the modules print is not an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for reference in references:
        reason = None
        try:
            look_up(reference)
        except ProgramError as error:
            reason = str(error)
        print(json.dumps({reference: reason}), file=answers)


if __name__ == "__main__":
    main()
