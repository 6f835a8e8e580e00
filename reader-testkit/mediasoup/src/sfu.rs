//! MediaSoup's side: worker, router, the producer's transport, and a transport for each viewer.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use mediasoup::prelude::*;
use mediasoup::producer::ProducerStat;
use mediasoup::rtp_parameters::{RtpCapabilities, RtpCodecParameters, RtpEncodingParameters};

use crate::rtp::Packet;
use crate::viewer::Viewer;

/// What the host marks its packets with.
const SSRC: u32 = 22_222_222;
const PAYLOAD_TYPE: u8 = 96;
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CLOCK: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

/// A router with one producer.
pub(crate) struct Sfu {
    router: Router,
    transport: PlainTransport,
    producer: Producer,
    capabilities: RtpCapabilities,
    // They close when they are dropped.
    _worker: Worker,
    _manager: WorkerManager,
}

/// A viewer with its end of MediaSoup.
pub(crate) struct Seat {
    pub(crate) viewer: Viewer,
    consumer: Consumer,
    transport: PlainTransport,
}

impl Sfu {
    pub(crate) async fn start() -> Result<Self> {
        let manager = WorkerManager::new();
        let worker = manager.create_worker(WorkerSettings::default()).await.context("no MediaSoup worker")?;
        let codec = RtpCodecCapability::Video {
            mime_type: MimeTypeVideo::H264,
            preferred_payload_type: Some(PAYLOAD_TYPE),
            clock_rate: CLOCK,
            parameters: parameters(),
            rtcp_feedback: Vec::new(),
        };
        let router = worker.create_router(RouterOptions::new(vec![codec])).await.context("no router")?;
        let mut options = PlainTransportOptions::new(listen());
        options.comedia = true;
        options.rtcp_mux = false;
        let transport = router.create_plain_transport(options).await.context("no transport for the producer")?;
        let producer =
            transport.produce(ProducerOptions::new(MediaKind::Video, sent())).await.context("no producer")?;
        let capabilities = capabilities();
        Ok(Self { router, transport, producer, capabilities, _worker: worker, _manager: manager })
    }

    /// Where RTP is to be sent.
    pub(crate) fn port(&self) -> u16 {
        self.transport.tuple().local_port()
    }

    /// Where RTCP is to be sent.
    pub(crate) fn rtcp_port(&self) -> Result<u16> {
        Ok(self.transport.rtcp_tuple().ok_or_else(|| anyhow!("the transport has no RTCP port"))?.local_port())
    }

    /// A viewer joins.
    pub(crate) async fn join(&self, name: &str) -> Result<Seat> {
        let viewer = Viewer::new().with_context(|| format!("no socket for viewer {name}"))?;
        let transport = self.router.create_plain_transport(PlainTransportOptions::new(listen())).await;
        let transport = transport.with_context(|| format!("no transport for viewer {name}"))?;
        let remote = PlainTransportRemoteParameters {
            ip: Some(LOCALHOST),
            port: Some(viewer.port()),
            rtcp_port: None,
            srtp_parameters: None,
        };
        transport.connect(remote).await.with_context(|| format!("viewer {name} is not connected"))?;
        let options = ConsumerOptions::new(self.producer.id(), self.capabilities.clone());
        let consumer = transport.consume(options).await.with_context(|| format!("viewer {name} gets nothing"))?;
        Ok(Seat { viewer, consumer, transport })
    }

    /// Waits until nothing comes in any more, and says what has.
    pub(crate) async fn quiet(&self, viewer: &Viewer, quiet: Duration) -> Result<ProducerStat> {
        let mut before = usize::MAX;
        loop {
            let stats = self.producer.get_stats().await.context("no figures of the producer")?;
            let stats = stats.into_iter().next().ok_or_else(|| anyhow!("the producer has had no packet"))?;
            if stats.packet_count == before && viewer.silent_for() > quiet {
                return Ok(stats);
            }
            before = stats.packet_count;
            thread::sleep(quiet / 5);
        }
    }
}

impl Seat {
    /// The viewer leaves. Returns what it got.
    pub(crate) fn leave(self) -> Result<Vec<Packet>> {
        drop((self.consumer, self.transport));
        Ok(self.viewer.packets()?)
    }
}

fn listen() -> TransportListenIp {
    TransportListenIp { ip: LOCALHOST, announced_ip: None }
}

fn parameters() -> RtpCodecParametersParameters {
    RtpCodecParametersParameters::from([
        ("packetization-mode", 1_u32.into()),
        ("profile-level-id", "4d0032".into()),
        ("level-asymmetry-allowed", 1_u32.into()),
    ])
}

fn sent() -> RtpParameters {
    RtpParameters {
        codecs: vec![RtpCodecParameters::Video {
            mime_type: MimeTypeVideo::H264,
            payload_type: PAYLOAD_TYPE,
            clock_rate: CLOCK,
            parameters: parameters(),
            rtcp_feedback: Vec::new(),
        }],
        encodings: vec![RtpEncodingParameters { ssrc: Some(SSRC), ..RtpEncodingParameters::default() }],
        ..RtpParameters::default()
    }
}

/// What viewers can take.
fn capabilities() -> RtpCapabilities {
    RtpCapabilities {
        codecs: vec![RtpCodecCapability::Video {
            mime_type: MimeTypeVideo::H264,
            preferred_payload_type: Some(PAYLOAD_TYPE),
            clock_rate: CLOCK,
            parameters: parameters(),
            rtcp_feedback: Vec::new(),
        }],
        header_extensions: Vec::new(),
    }
}
