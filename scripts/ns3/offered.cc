// Frames offered to a queue discipline of ns-3. `scripts/ns3_reference` builds it and runs it.
//
// They arrive by a generator that tests/link/test_queues_beside_ns3.py repeats, number by number,
// wait in the discipline, and are taken by a link of 10 Mbit/s. One line of JSON says what became
// of them.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "ns3/codel-queue-disc.h"
#include "ns3/core-module.h"
#include "ns3/network-module.h"
#include "ns3/red-queue-disc.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

class Frame : public QueueDiscItem
{
  public:
    explicit Frame(uint32_t size)
        : QueueDiscItem(Create<Packet>(size), Address(), 0)
    {
    }

    void AddHeader() override
    {
    }

    bool Mark() override
    {
        return false;
    }
};

// Knuth's MMIX; the upper 53 bits are the number.
class Generator
{
  public:
    explicit Generator(uint64_t seed)
        : m_state(seed)
    {
    }

    double Next()
    {
        m_state = m_state * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<double>(m_state >> 11) / 9007199254740992.0;
    }

  private:
    uint64_t m_state;
};

class Run
{
  public:
    Run(Ptr<QueueDisc> queue, double load, bool mixed, uint64_t seed)
        : m_queue(queue),
          m_load(load),
          m_mixed(mixed),
          m_generator(seed)
    {
    }

    void Arrive()
    {
        uint32_t size = m_mixed ? (m_generator.Next() < 0.5 ? 200 : 1500) : 1250;
        ++m_offered;
        // A queue disc stamps what it takes, for the time that it waits (sojourn).
        Ptr<Frame> frame = Create<Frame>(size);
        frame->SetTimeStamp(Simulator::Now());
        m_queue->Enqueue(frame);
        if (!m_busy)
        {
            Send();
        }
        double mean = 1e6 / m_load * (m_mixed ? 0.68 : 1);
        auto pause = static_cast<int64_t>(-std::log(1 - m_generator.Next()) * mean) + 1;
        Simulator::Schedule(NanoSeconds(pause), &Run::Arrive, this);
    }

    void Send()
    {
        Ptr<QueueDiscItem> item = m_queue->Dequeue();
        m_busy = item != nullptr;
        if (!m_busy)
        {
            return;
        }
        ++m_sent;
        m_waited += (Simulator::Now() - item->GetTimeStamp()).GetSeconds();
        Simulator::Schedule(NanoSeconds(item->GetSize() * 800), &Run::Send, this);
    }

    void Print() const
    {
        std::cout << "{\"offered\": " << m_offered << ", \"sent\": " << m_sent << ", \"dropped\": "
                  << m_queue->GetStats().nTotalDroppedPackets
                  << ", \"wait_ms\": " << 1000 * m_waited / m_sent << "}" << std::endl;
    }

  private:
    Ptr<QueueDisc> m_queue;
    double m_load;
    bool m_mixed;
    Generator m_generator;
    bool m_busy = false;
    uint64_t m_offered = 0;
    uint64_t m_sent = 0;
    double m_waited = 0;
};

// DISCIPLINE LOAD mixed|equal SEED SECONDS
int
main(int argc, char* argv[])
{
    if (argc != 6)
    {
        return 2;
    }
    uint64_t seed = std::strtoull(argv[4], nullptr, 10);
    RngSeedManager::SetRun(seed);
    Ptr<QueueDisc> queue;
    if (std::string(argv[1]) == "codel")
    {
        queue = CreateObjectWithAttributes<CoDelQueueDisc>("MinBytes", UintegerValue(1514));
    }
    else
    {
        queue = CreateObjectWithAttributes<RedQueueDisc>("MinTh", DoubleValue(5),
                                                         "MaxTh", DoubleValue(15),
                                                         "QW", DoubleValue(0.02),
                                                         "LInterm", DoubleValue(10),
                                                         "Gentle", BooleanValue(true),
                                                         "Wait", BooleanValue(false),
                                                         "MeanPktSize", UintegerValue(1000),
                                                         "LinkBandwidth", StringValue("10Mbps"));
    }
    queue->SetMaxSize(QueueSize("1000p"));
    queue->Initialize();
    Run run(queue, std::strtod(argv[2], nullptr), std::string(argv[3]) == "mixed", seed);
    Simulator::ScheduleNow(&Run::Arrive, &run);
    Simulator::Stop(Seconds(std::strtod(argv[5], nullptr)));
    Simulator::Run();
    run.Print();
    Simulator::Destroy();
    return 0;
}
