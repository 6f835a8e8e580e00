//! The processor's own copy, `rep movsb`, where the processor says that it is fast.
//!
//! For a long run of bytes it takes lines over without fetching what they held, as streaming stores do, and leaves them
//! in the cache, as ordinary ones do. Runs of a few kilobytes are copied like any other, so rows one by one are no use.

#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::FastString;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use elsewhere::FastString;

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    use super::super::streaming::LINE;

    /// Proof that the processor has it. Only `find` makes one.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::copy) struct FastString(());

    impl FastString {
        /// What the processor says: "enhanced rep movsb/stosb".
        #[inline]
        pub(in crate::copy) fn find() -> Option<Self> {
            // The answer is kept: to ask the processor takes microseconds in a virtual machine.
            std::arch::is_x86_feature_detected!("ermsb").then_some(Self(()))
        }

        /// Whether it is fast from here to there. On Zen 5 it takes five times as long when the destination lies less
        /// than a line above the source within their pages, as it takes the two to overlap.
        #[inline]
        pub(in crate::copy) fn is_good(self, from: *const u8, to: *const u8) -> bool {
            const PAGE: usize = 4096;
            let above = to.addr().wrapping_sub(from.addr()) % PAGE;
            above == 0 || above >= LINE
        }

        /// Copies `bytes` bytes.
        ///
        /// Later stores are seen after these, as after those of any other copy, so that no fence is needed.
        ///
        /// # Safety
        ///
        /// As `copy_nonoverlapping`.
        #[inline]
        pub(in crate::copy) unsafe fn run(self, from: *const u8, to: *mut u8, bytes: usize) {
            // SAFETY: reads and writes so many bytes, upwards, as the direction flag is clear wherever Rust code runs.
            unsafe {
                asm!(
                    "rep movsb",
                    inout("rcx") bytes => _,
                    inout("rsi") from => _,
                    inout("rdi") to => _,
                    options(nostack, preserves_flags),
                );
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn every_length_and_alignment() {
            let Some(kernel) = FastString::find() else { return };
            let source: Vec<u8> = (0..9000).map(|n| (n * 37 % 251) as u8 | 1).collect();
            for bytes in (0..300).chain([4095, 4096, 8191]) {
                for (skew, shift) in [(0, 0), (1, 0), (0, 1), (15, 16), (33, 7), (63, 64)] {
                    let mut memory = vec![0; 9000];
                    let to = memory[shift..].as_mut_ptr();
                    // SAFETY: both have 9,000 bytes, and the largest of each sort come to less.
                    unsafe { kernel.run(source[skew..].as_ptr(), to, bytes) };
                    assert!(memory[shift..][..bytes] == source[skew..][..bytes], "{bytes} bytes");
                    let beyond = memory[..shift].iter().chain(&memory[shift + bytes..]);
                    assert!(beyond.copied().all(|byte| byte == 0), "{bytes} bytes");
                }
            }
        }

        #[test]
        fn where_it_is_slow() {
            let kernel = FastString(());
            let at = std::ptr::without_provenance::<u8>;
            for (from, to, good) in [(64, 8192, true), (8192, 8192, true), (8000, 8192, true), (8191, 8192, false)] {
                assert_eq!(kernel.is_good(at(from), at(to)), good, "{from} to {to}");
            }
            assert!(!kernel.is_good(at(4096 - 63), at(40960)), "in another page");
            assert!(kernel.is_good(at(4096 - 64), at(40960)));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    /// There is none.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::copy) enum FastString {}

    impl FastString {
        pub(in crate::copy) fn find() -> Option<Self> {
            None
        }

        pub(in crate::copy) fn is_good(self, _: *const u8, _: *const u8) -> bool {
            match self {}
        }

        /// # Safety
        ///
        /// None: it cannot be called.
        pub(in crate::copy) unsafe fn run(self, _: *const u8, _: *mut u8, _: usize) {
            match self {}
        }
    }
}
