#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""names_story.py SUPPRESSD - whose a complaint or a bounce is follows from the header that the configuration names.

A platform writes X-Customer into its mails. PowerMTA logs it as a column, KumoMTA among its headers, and the complaint holds it in
the mail that comes back: all three find the same tenant; so does a script of
Halon's whose fields are mapped.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

CONFIG = """
input:
  pmta: {format: powermta, tenant_from: X-Customer, columns: "type,timeLogged,rcpt,dsnDiag,vmta,header_X-Customer"}
  kumo: {format: kumomta, tenant_from: X-Customer, tenant: nobody}
  fbl: {format: arf, tenant_from: X-Customer}
  script: {format: halon, fields: {kind: outcome, ts_ms: at, recipient: rcpt.address, code: reply, text: words, tenant: customer}}
policy:
  wish_without_tenant: dead_letter
  mailbox_scope: tenant
"""
KUMO = {"type": "Bounce", "recipient": "kim@isp.example", "timestamp": 1795255213, "queue": "isp.example",
        "peer_address": {"name": "mx"}, "response": {"code": 550, "content": "no such user"}}  # fmt: skip
COMPLAINT = """From: fbl@isp.example
Date: Sat, 21 Nov 2026 10:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=B

--B
Content-Type: message/feedback-report

Feedback-Type: abuse
Original-Rcpt-To: lea@isp.example

--B
Content-Type: message/rfc822

Subject: spring
{header}

body
--B--
"""


def run(binary, command, topic, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as config:
        config.write(CONFIG)
        config.flush()
        return subprocess.run([binary, command, "-c", config.name, "--topic", topic, "-"], input=text, capture_output=True,
                              text=True, check=False, timeout=60)  # fmt: skip


def check(what, expected, got):
    if expected != got:
        sys.exit(f"{what}: expected {expected!r}, got {got!r}")


def keys(binary, topic, text):
    return [json.loads(line)["key"] for line in run(binary, "replay", topic, text).stdout.splitlines()]


def main():
    binary = sys.argv[1]
    check("a column", ["acme:gil@isp.example"],
          keys(binary, "pmta", "b,1795255212,gil@isp.example,smtp;550 5.1.1 no such user,gold,acme\n"))  # fmt: skip
    check("a header that was logged", ["acme:kim@isp.example"],
          keys(binary, "kumo", json.dumps(KUMO | {"headers": {"X-Customer": "acme"}})))  # fmt: skip
    check("without it the tenant of the topic", ["nobody:kim@isp.example"], keys(binary, "kumo", json.dumps(KUMO)))
    check("a complaint", ["acme:lea@isp.example"], keys(binary, "fbl", COMPLAINT.format(header="X-Customer: acme")))
    alone = run(binary, "replay", "fbl", COMPLAINT.format(header="X-Other: acme"))
    check("a complaint without it", ("", True), (alone.stdout, "no tenant" in alone.stderr))
    script = {"outcome": "bounced", "at": 1795255214, "rcpt": {"address": "gil@isp.example"}, "reply": 550,
              "words": "no such user", "customer": "acme"}  # fmt: skip
    check("a script of Halon's", ["acme:gil@isp.example"], keys(binary, "script", json.dumps(script)))
    decoded = json.loads(run(binary, "decode", "kumo", json.dumps(KUMO)).stdout)
    check("decode tells the tenant of the topic", "nobody", decoded["tenant"])
    print("a bounce in three logs and a complaint are the same customer's")


main()
