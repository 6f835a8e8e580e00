#!/bin/sh
# rustc for the packages of the workspace. How the host is compiled is noted, so that it can be done again with other
# sources: `cargo xtask accept` compares the two.
case " $* " in
*" --crate-name host "*)
    env -0 >"$VAS_NOTES/host.env"
    printf '%s\0' "$@" >"$VAS_NOTES/host.arguments"
    ;;
esac
exec "$@"
