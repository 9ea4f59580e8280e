#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka (KRaft) on free ports of 127.0.0.1, for tests and benches.

As a command:

    broker.py [--nodes 1|3] run                 prints the bootstrap servers, stays up until Ctrl-C
    broker.py [--nodes 1|3] --exec CMD ...      runs CMD with KAFKA_BOOTSTRAP set; its exit code

As a module:

    with Cluster(nodes=1) as kafka:
        kafka.bootstrap                         "127.0.0.1:21034"
        kafka.kill(1); kafka.start_node(1)      kill -9 and restart of one node

The jars are fetched through Maven once, into ${XDG_CACHE_HOME:-~/.cache}/suppressd-tests. Everything else
lives in a temporary directory that goes with the cluster (KAFKA_TEST_KEEP=1 keeps it). Nodes die with this
process, however it ends. Needs: maven, default-jre-headless, python3-confluent-kafka.
"""

import argparse
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
READY_TIMEOUT_S = 60
START_ATTEMPTS = 3  # a port may be taken between choosing and listening
PR_SET_PDEATHSIG = 1


def jars():
    """The directory of the jars; fetches them if they are not there. Safe with several at once."""
    with open(os.path.join(HERE, "pom.xml"), "rb") as pom:
        version = hashlib.sha256(pom.read()).hexdigest()[:12]
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "suppressd-tests")
    directory = os.path.join(cache, "kafka-" + version)
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(directory):
            print("broker.py: fetching the jars of Apache Kafka (once, 44 MB)", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=cache) as temporary:
                shutil.copy(os.path.join(HERE, "pom.xml"), temporary)
                target = os.path.join(temporary, "jars")
                subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=" + target],
                               cwd=temporary, check=True, stdout=sys.stderr)
                os.rename(target, directory)
    return directory


def free_ports(count):
    """Ports below the ephemeral range, so that no outgoing connection takes one in the meantime."""
    ports = []
    for port in random.SystemRandom().sample(range(18000, 32000), 1000):
        with contextlib.closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cluster:
    """1 or 3 combined nodes, numbered from 1. `properties` go over the defaults of node_properties()."""

    def __init__(self, nodes=1, properties=None, heap="512m"):
        self.nodes = nodes
        self.properties = properties or {}
        self.heap = heap
        self.directory = None
        self.processes = {}
        self.bootstrap = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.stop()

    # --- the whole cluster

    def start(self):
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once()
                return
            except Exception as error:
                self.stop()
                print("broker.py: start %d failed: %s" % (attempt, error), file=sys.stderr)
                if attempt == START_ATTEMPTS:
                    raise

    def stop(self):
        """Nothing of it is kept, so nothing has to be shut down in order: kill -9."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.processes = {}
        if self.directory and not os.environ.get("KAFKA_TEST_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory = None

    def _start_once(self):
        self.directory = tempfile.mkdtemp(prefix="suppressd-kafka-")
        ports = free_ports(2 * self.nodes)
        self.client_ports, self.controller_ports = ports[:self.nodes], ports[self.nodes:]
        self.bootstrap = ",".join("127.0.0.1:%d" % port for port in self.client_ports)
        cluster_id = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        formats = []
        for node in range(1, self.nodes + 1):
            with open(self._path(node, "properties"), "w") as file:
                file.writelines("%s=%s\n" % item for item in self.node_properties(node).items())
            formats.append(self._java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                                      self._path(node, "properties"), log=self._path(node, "log"), heap="128m"))
        for node, process in enumerate(formats, 1):
            if process.wait() != 0:
                raise RuntimeError("format failed:\n" + self._log_tail(node))
        for node in range(1, self.nodes + 1):
            self._spawn(node)
        self.wait_ready()

    def node_properties(self, node):
        three = self.nodes >= 3
        replicas, in_sync = ("3", "2") if three else ("1", "1")
        client_port, controller_port = self.client_ports[node - 1], self.controller_ports[node - 1]
        properties = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            "controller.quorum.voters": ",".join(
                "%d@127.0.0.1:%d" % (i + 1, port) for i, port in enumerate(self.controller_ports)),
            "listeners": "PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d" % (client_port, controller_port),
            "advertised.listeners": "PLAINTEXT://127.0.0.1:%d" % client_port,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": os.path.join(self.directory, "data%d" % node),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "5",
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": "5",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "min.insync.replicas": in_sync,
            "default.replication.factor": replicas,
            "log.cleaner.dedupe.buffer.size": "16777216",
        }
        if three:
            # A quiet cluster replicates the coordinator's last word only at the next fetch: without this nearly
            # every transaction waits 100 ms and more for CONCURRENT_TRANSACTIONS to pass.
            properties["replica.fetch.wait.max.ms"] = "10"
            # A killed broker must be noticed before the clients' message.timeout.ms has passed.
            properties["broker.session.timeout.ms"] = "3000"
            properties["broker.heartbeat.interval.ms"] = "500"
        properties.update(self.properties)
        return properties

    def wait_ready(self):
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "logger": _Silent()})
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            for node, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError("node %d ended with %d:\n%s" % (node, process.returncode, self._log_tail(node)))
            # A node that was killed a moment ago still counts as a broker: it must also listen.
            with contextlib.suppress(KafkaException, OSError):
                for node in self.processes:
                    socket.create_connection(("127.0.0.1", self.client_ports[node - 1]), timeout=1).close()
                if len(admin.list_topics(timeout=1).brokers) >= len(self.processes):
                    return
            if time.monotonic() > deadline:
                raise RuntimeError("not ready after %d s" % READY_TIMEOUT_S)
            time.sleep(0.05)

    # --- one node

    def kill(self, node):
        """kill -9. Its data stay; start_node() brings it back on the same ports."""
        process = self.processes.pop(node)
        process.kill()
        process.wait()

    def stop_node(self, node):
        """In order: it hands its partitions over first."""
        process = self.processes.pop(node)
        process.terminate()
        process.wait()

    def start_node(self, node, wait=True):
        self._spawn(node)
        if wait:
            self.wait_ready()

    def pause(self, node):
        self.processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node):
        self.processes[node].send_signal(signal.SIGCONT)

    def tool(self, main_class, *arguments, check=True):
        """Runs a command line tool of Kafka (org.apache.kafka.tools.*); its standard output."""
        command = self._command(main_class, "128m") + list(arguments)
        return subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True).stdout

    # --- inside

    def _spawn(self, node):
        self.processes[node] = self._java("kafka.Kafka", self._path(node, "properties"),
                                          log=self._path(node, "log"), heap=self.heap)

    def _command(self, main_class, heap):
        return ["java", "-Xmx" + heap, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", os.path.join(jars(), "*"), main_class]

    def _java(self, main_class, *arguments, log, heap):
        with open(log, "ab") as output:
            # A session of its own: Ctrl-C at the terminal is for us alone, we end the nodes.
            return subprocess.Popen(self._command(main_class, heap) + list(arguments), stdin=subprocess.DEVNULL,
                                    stdout=output, stderr=output, start_new_session=True, preexec_fn=die_with_parent)

    def _path(self, node, suffix):
        return os.path.join(self.directory, "node%d.%s" % (node, suffix))

    def _log_tail(self, node):
        with open(self._path(node, "log"), errors="replace") as file:
            return "".join(file.readlines()[-25:])


class _Silent:
    """The client's complaints while the broker starts are no news."""

    def log(self, *unused):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, choices=(1, 3), default=1)
    parser.add_argument("--heap", default="512m", help="of each node (default %(default)s)")
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE", help="broker setting")
    parser.add_argument("--exec", nargs=argparse.REMAINDER, metavar="CMD", help="run this, then tear down")
    parser.add_argument("command", nargs="?", choices=("run", "fetch"),
                        help="run: stay up; fetch: only fetch the jars")
    options = parser.parse_args()
    if options.command == "fetch":
        print(jars())
        return 0
    if not options.exec and options.command != "run":
        parser.error("run, fetch or --exec CMD")

    # Ctrl-C and kill end the nodes and remove their directory.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    properties = dict(item.split("=", 1) for item in options.property)
    with Cluster(options.nodes, properties, options.heap) as cluster:
        try:
            if options.exec:
                return subprocess.call(options.exec, env=dict(os.environ, KAFKA_BOOTSTRAP=cluster.bootstrap))
            print(cluster.bootstrap, flush=True)
            while True:
                signal.pause()
        except KeyboardInterrupt:
            return 130


if __name__ == "__main__":
    sys.exit(main())
