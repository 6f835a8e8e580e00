//! Whether a viewer got what it should have.

use std::hash::{DefaultHasher, Hasher as _};

use serde::Serialize;

use crate::rtp::Packet;

/// One viewer.
#[derive(Debug, Serialize)]
pub(crate) struct ViewerReport {
    name: &'static str,
    packets: usize,
    /// Pictures: packets that end one.
    pictures: usize,
    /// Where in the whole stream it began.
    from: usize,
    /// Of all payloads, in hexadecimal digits.
    payloads: String,
    /// What is wrong; nothing when the viewer got every packet of its time.
    faults: Vec<String>,
}

impl ViewerReport {
    fn new(name: &'static str, packets: &[Packet], from: usize) -> Self {
        let mut sum = DefaultHasher::new();
        packets.iter().for_each(|packet| sum.write_u64(packet.hash));
        let mut report = Self {
            name,
            packets: packets.len(),
            pictures: packets.iter().filter(|packet| packet.marker).count(),
            from,
            payloads: format!("{:016x}", sum.finish()),
            faults: Vec::new(),
        };
        if packets.is_empty() {
            report.faults.push("got no packet".into());
        }
        let gaps = packets.windows(2).filter(|pair| pair[1].sequence != pair[0].sequence.wrapping_add(1)).count();
        if gaps != 0 {
            report.faults.push(format!("its sequence numbers jump {gaps} times"));
        }
        report
    }

    /// Compares with the part of the whole stream that starts at `from`.
    fn compare(mut self, packets: &[Packet], all: &[Packet]) -> Self {
        let same = |n: usize| Some(packets[n].hash) == all.get(self.from + n).map(|packet| packet.hash);
        if let Some(n) = (0..packets.len()).find(|&n| !same(n)) {
            self.faults.push(format!("its packet {n} is not packet {} of the stream", self.from + n));
        }
        self
    }
}

/// The viewer that was there from first to last: it has every packet that MediaSoup took.
pub(crate) fn whole(packets: &[Packet], packets_in: usize) -> ViewerReport {
    let mut report = ViewerReport::new("whole", packets, 0);
    if packets.len() != packets_in {
        report.faults.push(format!("{packets_in} packets went in, {} came out", packets.len()));
    }
    report
}

/// The viewer that joined when the first one had from `joining` to `joined` packets: it has all from the next key frame
/// to the end.
pub(crate) fn late(packets: &[Packet], all: &[Packet], joining: usize, joined: usize) -> ViewerReport {
    let keys = |from: usize| all.iter().skip(from).position(|packet| packet.key).map(|n| from + n);
    let from = all.len().saturating_sub(packets.len());
    let mut report = ViewerReport::new("late", packets, from).compare(packets, all);
    let (earliest, latest) = (keys(joining), keys(joined));
    if earliest.is_none_or(|earliest| from < earliest) || latest.is_none_or(|latest| from > latest) {
        report.faults.push(format!(
            "it joined between packets {joining} and {joined}, where the next key frames are at {earliest:?} and \
             {latest:?}, but its first packet is {from}"
        ));
    }
    report
}

/// The viewer that left when the first one had from `leaving` to `gone` packets: it has all up to there.
pub(crate) fn early(packets: &[Packet], all: &[Packet], leaving: usize, gone: usize) -> ViewerReport {
    let mut report = ViewerReport::new("early", packets, 0).compare(packets, all);
    // What was between MediaSoup and the first viewer while the counts were taken: a picture's packets.
    let slack = 64;
    if packets.len() + slack < leaving || packets.len() > gone + slack {
        report.faults.push(format!("it left between packets {leaving} and {gone}, but has {}", packets.len()));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<Packet> {
        let packet = |n: u16| Packet { sequence: n, marker: n % 2 == 1, key: n % 10 == 0, hash: u64::from(n) };
        (0..40).map(packet).collect()
    }

    #[test]
    fn a_whole_stream_and_its_parts_pass() {
        let all = stream();
        assert!(whole(&all, 40).faults.is_empty());
        assert!(late(&all[20..], &all, 12, 14).faults.is_empty());
        assert!(early(&all[..17], &all, 15, 18).faults.is_empty());
    }

    #[test]
    fn a_lost_packet_is_found_wherever_it_is() {
        let all = stream();
        let mut lost = all.clone();
        lost.remove(30);
        assert_eq!(whole(&lost, 40).faults.len(), 2);
        assert!(!late(&lost[20..], &all, 12, 14).faults.is_empty());
        assert!(!early(&lost[..35], &all, 30, 36).faults.is_empty());
    }

    #[test]
    fn a_viewer_that_skips_a_key_frame_or_starts_without_one_is_found() {
        let all = stream();
        assert!(!late(&all[30..], &all, 12, 14).faults.is_empty());
        assert!(!late(&all[13..], &all, 12, 14).faults.is_empty());
        assert!(!early(&[], &all, 0, 2).faults.is_empty());
    }
}
