//! One viewer's socket.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::rtp::Packet;

/// How long a look at the socket takes when nothing comes.
const LOOK: Duration = Duration::from_millis(20);

/// Receives what MediaSoup sends it, on a thread of its own.
pub(crate) struct Viewer {
    shared: Arc<Shared>,
    thread: JoinHandle<io::Result<Vec<Packet>>>,
    port: u16,
}

struct Shared {
    count: AtomicUsize,
    leave: AtomicBool,
    heard: Mutex<Instant>,
}

impl Viewer {
    pub(crate) fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LOOK))?;
        let port = socket.local_addr()?.port();
        let shared = Arc::new(Shared {
            count: AtomicUsize::new(0),
            leave: AtomicBool::new(false),
            heard: Mutex::new(Instant::now()),
        });
        let receiving = shared.clone();
        let thread = thread::Builder::new().name("viewer".into()).spawn(move || receive(&socket, &receiving))?;
        Ok(Self { shared, thread, port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Packets so far.
    pub(crate) fn count(&self) -> usize {
        // Ordering: Relaxed, it says nothing about other memory.
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Since the last packet.
    pub(crate) fn silent_for(&self) -> Duration {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Ends with what is still under way, and returns all packets.
    pub(crate) fn packets(self) -> io::Result<Vec<Packet>> {
        // Ordering: Relaxed, it says nothing about other memory.
        self.shared.leave.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the viewer's thread panicked")))
    }
}

fn receive(socket: &UdpSocket, shared: &Shared) -> io::Result<Vec<Packet>> {
    let mut packets = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(packet) = Packet::parse(&buffer[..length]) {
                    packets.push(packet);
                    // Ordering: Relaxed, as above.
                    shared.count.store(packets.len(), Ordering::Relaxed);
                    *shared.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                // Ordering: Relaxed, as above.
                if shared.leave.load(Ordering::Relaxed) {
                    return Ok(packets);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
