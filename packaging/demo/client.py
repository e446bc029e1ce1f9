# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A small command-line program as there are many: what does it import before it does anything?"""
import argparse
import json

try:
    import requests
except ImportError:  # python3-requests is not installed
    import urllib.request as requests


def export(rows):
    import csv  # found out only when it runs
    import io

    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--get", metavar="URL")
    args = parser.parse_args()
    if args.get:
        print(json.dumps({"status": requests.get(args.get, timeout=10).status_code}))
    else:
        export([["nothing", "to", "do"]])


main()
