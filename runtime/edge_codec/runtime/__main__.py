"""The process `edge-codec`: Ctrl-C is an exit code while the command line loads, too."""


def main() -> int:
    """Run one command; see `cli.main`."""
    try:
        from edge_codec.runtime import cli  # noqa: PLC0415  takes 0.1 s and more on a slow board

        return cli.main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
