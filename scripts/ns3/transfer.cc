// One transfer of ns-3's CUBIC through a queue discipline at 10 Mbit/s, and a probe of 64 octets
// every 100 ms beside it, on the path of tests/site/reference_path.py. `scripts/ns3_reference`
// builds it and runs it. One line of JSON: Mbit/s of payload, and the mean wait of the probes in ms.

#include <cstdlib>
#include <iostream>
#include <string>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

static const double WARM_UP = 5;
static const double END = 55;

static uint64_t g_arrived = 0;
static double g_waited = 0;
static int g_probes = 0;

static void
Arrived(Ptr<const Packet> packet, const Address&)
{
    if (Simulator::Now().GetSeconds() > WARM_UP)
    {
        g_arrived += packet->GetSize();
    }
}

static void
SendProbe(Ptr<Socket> socket)
{
    int64_t now = Simulator::Now().GetNanoSeconds();
    uint8_t payload[36] = {};
    std::copy_n(reinterpret_cast<uint8_t*>(&now), sizeof now, payload);
    socket->Send(Create<Packet>(payload, sizeof payload));
    Simulator::Schedule(MilliSeconds(100), &SendProbe, socket);
}

static void
Heard(Ptr<Socket> socket)
{
    while (Ptr<Packet> packet = socket->Recv())
    {
        int64_t sent = 0;
        packet->CopyData(reinterpret_cast<uint8_t*>(&sent), sizeof sent);
        if (Simulator::Now().GetSeconds() > WARM_UP)
        {
            g_waited += (Simulator::Now().GetNanoSeconds() - sent) / 1e6 - 10;
            ++g_probes;
        }
    }
}

// drop-tail|codel|fq_codel|red|pie SEED
int
main(int argc, char* argv[])
{
    if (argc != 3)
    {
        return 2;
    }
    std::string discipline = argv[1];
    RngSeedManager::SetRun(std::strtoull(argv[2], nullptr, 10));
    Config::SetDefault("ns3::TcpL4Protocol::SocketType", StringValue("ns3::TcpCubic"));
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(4 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(4 << 20));

    NodeContainer nodes;
    nodes.Create(4); // sender, two routers, receiver
    InternetStackHelper().Install(nodes);
    PointToPointHelper fast;
    PointToPointHelper slow;
    fast.SetDeviceAttribute("DataRate", StringValue("1Gbps"));
    fast.SetChannelAttribute("Delay", StringValue("1ms"));
    slow.SetDeviceAttribute("DataRate", StringValue("10Mbps"));
    slow.SetChannelAttribute("Delay", StringValue("8ms"));
    // What waits is to wait in the discipline.
    slow.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1p"));
    NetDeviceContainer links[] = {fast.Install(nodes.Get(0), nodes.Get(1)),
                                  slow.Install(nodes.Get(1), nodes.Get(2)),
                                  fast.Install(nodes.Get(2), nodes.Get(3))};
    TrafficControlHelper control;
    if (discipline == "drop-tail")
    {
        control.SetRootQueueDisc("ns3::FifoQueueDisc", "MaxSize", StringValue("100p"));
    }
    else if (discipline == "codel")
    {
        control.SetRootQueueDisc("ns3::CoDelQueueDisc");
    }
    else if (discipline == "fq_codel")
    {
        control.SetRootQueueDisc("ns3::FqCoDelQueueDisc");
    }
    else if (discipline == "pie")
    {
        control.SetRootQueueDisc("ns3::PieQueueDisc", "MaxSize", StringValue("1000p"));
    }
    else
    {
        control.SetRootQueueDisc("ns3::RedQueueDisc",
                                 "MaxSize", StringValue("100p"),
                                 "MinTh", DoubleValue(5),
                                 "MaxTh", DoubleValue(15),
                                 "QW", DoubleValue(0.02),
                                 "LInterm", DoubleValue(10),
                                 "Wait", BooleanValue(false),
                                 "MeanPktSize", UintegerValue(1000),
                                 "LinkBandwidth", StringValue("10Mbps"));
    }
    control.Install(links[1].Get(0));
    Ipv4AddressHelper addresses;
    Ipv4InterfaceContainer last;
    for (int number = 0; number < 3; ++number)
    {
        addresses.SetBase(("10.0." + std::to_string(number) + ".0").c_str(), "255.255.255.0");
        last = addresses.Assign(links[number]);
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();

    Ipv4Address receiver = last.GetAddress(1);
    PacketSinkHelper sink("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 80));
    ApplicationContainer sinks = sink.Install(nodes.Get(3));
    sinks.Get(0)->TraceConnectWithoutContext("Rx", MakeCallback(&Arrived));
    BulkSendHelper("ns3::TcpSocketFactory", InetSocketAddress(receiver, 80)).Install(nodes.Get(0));
    Ptr<Socket> heard = Socket::CreateSocket(nodes.Get(3), UdpSocketFactory::GetTypeId());
    heard->Bind(InetSocketAddress(Ipv4Address::GetAny(), 7));
    heard->SetRecvCallback(MakeCallback(&Heard));
    Ptr<Socket> probe = Socket::CreateSocket(nodes.Get(0), UdpSocketFactory::GetTypeId());
    probe->Connect(InetSocketAddress(receiver, 7));
    Simulator::Schedule(MilliSeconds(100), &SendProbe, probe);
    Simulator::Stop(Seconds(END));
    Simulator::Run();
    std::cout << "{\"goodput\": " << g_arrived * 8 / 1e6 / (END - WARM_UP)
              << ", \"wait_ms\": " << g_waited / g_probes << "}" << std::endl;
    Simulator::Destroy();
    return 0;
}
