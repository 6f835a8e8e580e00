#!/bin/sh
# rustc for the packages of the workspace. How the host and its library are compiled is noted, so that it can be done again with
# other sources: `cargo xtask accept` compares the two.
case " $* " in
*" --crate-name host "*) name=host ;;
*" --crate-name vas_host "*) name=vas_host ;;
*) name= ;;
esac
if [ -n "$name" ]; then
    env -0 >"$VAS_NOTES/$name.env"
    printf '%s\0' "$@" >"$VAS_NOTES/$name.arguments"
fi
exec "$@"
