//! What happens to a camera, drawn from a seed: the same seed gives the same course, frame by frame.

/// Frames that play between two events.
const SHORTEST: u64 = 20;
const LONGEST: u64 = 600;

/// What a camera shows until the next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scene {
    /// Which clip.
    pub(crate) clip: usize,
    /// How many frames of it.
    pub(crate) frames: u64,
    /// Whether the camera stops and starts again before it, or goes on with the new picture.
    pub(crate) restart: bool,
}

/// The scenes of one camera, without an end.
pub(crate) struct Script {
    state: u64,
    clips: usize,
}

impl Script {
    pub(crate) fn new(seed: u64, camera: usize, clips: usize) -> Self {
        let mut script = Self { state: seed ^ (camera as u64) << 32, clips };
        // Seeds that differ in little are far apart from here on.
        script.draw(2);
        script
    }

    pub(crate) fn scene(&mut self) -> Scene {
        let clip = self.draw(self.clips as u64) as usize;
        let frames = SHORTEST + self.draw(LONGEST - SHORTEST);
        Scene { clip, frames, restart: self.draw(2) == 0 }
    }

    /// A number below `bound`: SplitMix64.
    fn draw(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenes(seed: u64, camera: usize) -> Vec<Scene> {
        let mut script = Script::new(seed, camera, 2);
        (0..1000).map(|_| script.scene()).collect()
    }

    #[test]
    fn a_seed_gives_one_course_per_camera() {
        assert_eq!(scenes(7, 0), scenes(7, 0));
        assert_ne!(scenes(7, 0), scenes(7, 1));
        assert_ne!(scenes(7, 0), scenes(8, 0));
    }

    #[test]
    fn everything_happens() {
        let scenes = scenes(7, 0);
        for restart in [false, true] {
            let of = |clip| scenes.iter().filter(|scene| (scene.clip, scene.restart) == (clip, restart)).count();
            assert!(of(0) > 100 && of(1) > 100, "{} and {}", of(0), of(1));
        }
        assert!(scenes.iter().all(|scene| (SHORTEST..LONGEST).contains(&scene.frames)));
        assert!(scenes.iter().any(|scene| scene.frames < 40) && scenes.iter().any(|scene| scene.frames > 580));
    }
}
