//! One AVFrame in, one filled slot out.
