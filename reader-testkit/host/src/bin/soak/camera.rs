//! A camera that plays its script.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ffmpeg_next::frame::Video;
use vas_lifecycle::{CameraId, CameraWriter, FrameExport};
use vas_tap::{Offer, Tap};

use crate::Sabotage;
use crate::ledger::Ledger;
use crate::script::Script;
use vas_host::input::{Input, InputError, Next, Playback, Source};
use vas_host::pixels::pack;
use vas_host::stop::Stop;

/// As fast as it decodes.
pub(crate) const PLAYBACK: Playback =
    Playback { fast: true, passes: None, once: false, timeout: Duration::from_secs(10) };
/// The first frame that something is done wrong with.
const UNLUCKY: u64 = 100;

/// One camera.
pub(crate) struct Camera {
    pub(crate) id: CameraId,
    pub(crate) ledger: Ledger,
    /// Frames offered so far, for whoever watches.
    pub(crate) offered: AtomicU64,
}

/// What its thread counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) decoded: u64,
    pub(crate) published: u64,
    pub(crate) dropped: BTreeMap<&'static str, u64>,
    pub(crate) starts: u64,
    pub(crate) resizes: u64,
    pub(crate) faults: Vec<String>,
}

impl Tally {
    /// Of a thread that panicked.
    pub(crate) fn panicked() -> Self {
        Self { faults: vec!["a camera's thread panicked".into()], ..Self::default() }
    }
}

impl Camera {
    pub(crate) fn new(id: CameraId) -> Self {
        Self { id, ledger: Ledger::new(), offered: AtomicU64::new(0) }
    }

    /// Plays until `stop`. The ledger is closed whatever happens, so that the readers leave.
    pub(crate) fn play(
        &self,
        export: &FrameExport,
        clips: &[Input],
        script: Script,
        stop: &Stop,
        sabotage: Option<Sabotage>,
    ) -> Tally {
        let mut tally = Tally::default();
        if let Err(error) = self.all_scenes(export, clips, script, stop, sabotage, &mut tally) {
            tally.faults.push(format!("{}: {error}", self.id));
        }
        self.ledger.close();
        tally
    }

    fn all_scenes(
        &self,
        export: &FrameExport,
        clips: &[Input],
        mut script: Script,
        stop: &Stop,
        sabotage: Option<Sabotage>,
        tally: &mut Tally,
    ) -> Result<(), Box<dyn Error>> {
        let mut scene = script.scene();
        while !stop.is_set() {
            let Some(mut source) = open(&clips[scene.clip], stop)? else { break };
            let epoch = u32::try_from(tally.starts)?;
            let mut tap = Tap::new(export.camera(self.id.as_str())).with_time_base(source.time_base());
            tally.starts += 1;
            loop {
                self.scene(&mut source, scene.frames, &mut tap, stop, sabotage, tally)?;
                let last = std::mem::replace(&mut scene, script.scene());
                if scene.restart || stop.is_set() {
                    break;
                }
                // The size changes under the running tap, as it does when somebody sets a camera up anew.
                tally.resizes += u64::from(scene.clip != last.clip);
                if sabotage == Some(Sabotage::Stop) {
                    stop.set();
                }
                match open(&clips[scene.clip], stop)? {
                    Some(opened) => source = opened,
                    None => break,
                }
            }
            drop(tap);
            self.ledger.end(epoch, tally.decoded);
        }
        Ok(())
    }

    fn scene(
        &self,
        source: &mut Source,
        frames: u64,
        tap: &mut Tap<CameraWriter>,
        stop: &Stop,
        sabotage: Option<Sabotage>,
        tally: &mut Tally,
    ) -> Result<(), Box<dyn Error>> {
        let (mut frame, mut pixels) = (Video::empty(), Vec::new());
        let mut played = 0;
        while played < frames && !stop.is_set() {
            let next = source.next(&mut frame, |_| {}).and_then(|next| match next {
                Next::Frame => Ok(Next::Frame),
                Next::End => source.rewind().map(|()| Next::End),
            });
            match next {
                Ok(Next::Frame) => {}
                Ok(Next::End) => continue,
                Err(error) if error.is_stop() => break,
                Err(error) => return Err(error.into()),
            }
            played += 1;
            let id = tally.decoded;
            tally.decoded += 1;
            if id == UNLUCKY && sabotage == Some(Sabotage::Loss) {
                continue;
            }
            pack(&frame, &mut pixels);
            let sum = crc32fast::hash(&pixels);
            let wrong = (UNLUCKY..2 * UNLUCKY).contains(&id) && sabotage == Some(Sabotage::Torn);
            self.ledger.expect(id, if wrong { !sum } else { sum });
            let taken = match tap.offer(&frame) {
                Offer::Published(taken) => {
                    tally.published += 1;
                    taken
                }
                Offer::Dropped(cause) => {
                    *tally.dropped.entry(cause.name()).or_default() += 1;
                    id
                }
                Offer::Off => return Err("the tap is off".into()),
            };
            if taken != id {
                return Err(format!("frame {id} took the id {taken}").into());
            }
            // Ordering: Relaxed, it is shown and nothing follows from it.
            self.offered.store(tally.decoded, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Opens a clip; none when the run ends before it is open.
fn open(clip: &Input, stop: &Stop) -> Result<Option<Source>, InputError> {
    match Source::open(clip, PLAYBACK, stop) {
        Ok(source) => Ok(Some(source)),
        Err(error) if error.is_stop() => Ok(None),
        Err(error) => Err(error),
    }
}
