//! Plain old data: types whose bytes are their value.

/// Says that types are plain old data, and checks the part of it that a computer can: that there is no padding.
macro_rules! plain_old_data {
    ($($name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {$(
        ::static_assertions::const_assert_eq!(size_of::<$name>(), 0 $(+ size_of::<$ty>())*);
        const _: fn($name) = |value| {
            let $name { $($field),* } = value;
            $(let _: $ty = $field;)*
        };
        // SAFETY: all fields are integers or plain old data themselves, for which zero is a value.
        unsafe impl ::bytemuck::Zeroable for $name {}
        // SAFETY: `repr(C)`, without padding by the assertion above, and each field, being an integer, an array of them
        // or plain old data itself, takes any bits.
        unsafe impl ::bytemuck::Pod for $name {}
    )*};
}

pub(crate) use plain_old_data;
