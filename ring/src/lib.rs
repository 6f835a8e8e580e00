//! The lock-free frame ring.
#![no_std]
