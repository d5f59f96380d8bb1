"""client – r1 –(20 ms, 1 % loss, 100mbit)– r2 – server, with modules that lie beside the file."""

from __future__ import annotations

from pathlib import Path


def lossy_path(folder: Path, server: str, **modules: str) -> Path:
    """The file; `server` is what stands at the server beside its kind."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    file = folder / "path.yaml"
    file.write_text(f"""\
name: path
seed: 1
nodes:
  client: {{kind: computer}}
  server: {{kind: computer, {server}}}
  r1: {{kind: router}}
  r2: {{kind: router}}
links:
  - [client, r1]
  - {{endpoints: [r1, r2], delay: 20ms, loss: 1%, bandwidth: 100mbit}}
  - [r2, server]
""")
    return file
