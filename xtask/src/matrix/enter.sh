# Runs a command inside a system. It is run in a mount namespace of its own, so that nothing stays mounted, however it ends.
# Arguments: the system, the toolchain, cargo's home, seconds until the command is killed, the command.
root=$1 toolchain=$2 cargo=$3 seconds=$4 command=$5
mkdir -p "$root/toolchain" "$root/cargo"
mount --bind "$toolchain" "$root/toolchain"
mount -o remount,bind,ro "$root/toolchain"
mount --bind "$cargo" "$root/cargo"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
# Not as the first process of the new namespace: `timeout` takes a parent of that number for its own end.
status=0
timeout --kill-after=10 "$seconds" chroot "$root" sh -euc "$command" || status=$?
exit "$status"
