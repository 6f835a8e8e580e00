#!/usr/bin/python3
"""A camera: one H.264 file as an RTSP stream on 127.0.0.1, unchanged, and from its start for each client.

Prints one line of JSON once it serves: {"port": ..., "url": ...}. Runs until it is killed. The file is an MP4 or an
MPEG-TS; what is in it is passed on as it is, with SPS and PPS before each IDR picture.
"""

import argparse
import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

DEMUXERS = {".mp4": "qtdemux", ".ts": "tsdemux"}


def pipeline(path):
    """What GStreamer is to run for a client."""
    demuxer = next((demuxer for ending, demuxer in DEMUXERS.items() if path.endswith(ending)), None)
    if demuxer is None:
        sys.exit(f"camera.py: {path} ends in none of {', '.join(DEMUXERS)}")
    location = path.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'( filesrc location="{location}" ! {demuxer} name=demux demux. ! queue '
        "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 )"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="an MP4 or MPEG-TS file with H.264 in it")
    parser.add_argument("--port", type=int, default=0, help="the port to listen at; a free one when not given")
    args = parser.parse_args()
    launch = pipeline(args.file)
    # It would be found out only with the first client.
    try:
        open(args.file, "rb").close()
    except OSError as error:
        sys.exit(f"camera.py: {error}")

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(args.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    # Each client gets the file from its start.
    factory.set_shared(False)
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
    server.get_mount_points().add_factory("/camera", factory)
    if server.attach(None) == 0:
        sys.exit(f"camera.py: cannot listen at port {args.port} of 127.0.0.1")
    port = server.get_bound_port()
    print(json.dumps({"port": port, "url": f"rtsp://127.0.0.1:{port}/camera"}), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
