#!/usr/bin/env bash
# Real Apache Kafka brokers (KRaft) on the loopback, for trying things by hand and for the tests.
#
#   kafka.sh run [--port P] [--nodes 1|3] [--dir DIR] [--topic NAME] [--far PORT]
#                                                                      start, tell how to read, end with Ctrl-C
#   kafka.sh format DIR PORT [CONTROLLER_PORT [PROPERTIES [STORAGE_ARGUMENT...]]]   prepare the directory of one node
#   kafka.sh serve DIR                                                 become that node (the process is Java's)
#   kafka.sh tool CLASS ARGUMENT...                                    one of Kafka's own tools
#
# A broker never creates a topic by itself here: viewtail has to live with a missing one.
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
LIB=$ROOT/target/kafka/lib

# A node with an empty topic lives in 250 MB; the heap is the smaller half of it.
HEAP=${KAFKA_HEAP:--Xms128m -Xmx384m}
# A cold start takes about 4 s; a machine that compiles meanwhile may need many times that.
READY_DEADLINE_SECONDS=90

die() {
    echo "kafka: $*" >&2
    exit 1
}

java_binary() {
    if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then echo "$JAVA_HOME/bin/java"; else echo java; fi
}

# The class path is quoted for Java's sake: it expands the star, not the shell.
# The serial collector is the lightest one for a small heap on two cores. KAFKA_JVM adds flags.
kafka_java() {
    # shellcheck disable=SC2086 # the heap is a list of words
    exec "$(java_binary)" $HEAP -XX:+UseSerialGC -XX:-UsePerfData ${KAFKA_JVM:-} \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Djava.awt.headless=true -cp "$LIB/*" "$@"
}

# Below the ports that the kernel gives to outgoing connections: a broker that comes back must find its own free.
free_ports() {
    python3 - "$1" <<'PYTHON'
import random, socket, sys
held = []
for port in random.sample(range(12000, 32000), 1000):
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(one)
    if len(held) == int(sys.argv[1]):
        break
print(" ".join(str(one.getsockname()[1]) for one in held))
PYTHON
}

random_uuid() {
    # What StorageTool takes for a cluster id: 16 bytes in URL-safe base64 without padding.
    python3 -c 'import base64, os; print(base64.urlsafe_b64encode(b"\x10" + os.urandom(15)).decode().rstrip("="))'
}

# write_properties DIR NODE PORT CONTROLLER_PORT VOTERS REPLICATION
write_properties() {
    cat >"$1/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$2
controller.quorum.voters=$5
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:$3,CONTROLLER://127.0.0.1:$4
advertised.listeners=PLAINTEXT://127.0.0.1:$3
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$1/data
auto.create.topics.enable=false
delete.topic.enable=true
num.partitions=1
default.replication.factor=$6
offsets.topic.replication.factor=$6
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$6
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$6
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# How often the coordinator looks for transactions past their time-out. Kafka's default is 10 s; the tests do not
# want to wait for it, and a dead agent stalls readers for that much less.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.threads=1
PROPERTIES
}

# prepare DIR NODE PORT CONTROLLER_PORT VOTERS REPLICATION CLUSTER [STORAGE_ARGUMENT...]
prepare() {
    mkdir -p "$1"
    write_properties "$1" "$2" "$3" "$4" "$5" "$6"
    # Of a key that is there twice Java takes the last value.
    [ -z "$FURTHER_PROPERTIES" ] || cat "$FURTHER_PROPERTIES" >>"$1/server.properties"
    (kafka_java kafka.tools.StorageTool format -t "$7" -c "$1/server.properties" "${@:8}") >"$1/format.log" 2>&1 ||
        die "the storage could not be formatted: $(tail -n 3 "$1/format.log")"
}

format_one() {
    [ $# -ge 2 ] || die "say where and on which port: kafka.sh format DIR PORT [CONTROLLER_PORT [PROPERTIES ...]]"
    local dir port controller
    mkdir -p "$1"
    dir=$(cd "$1" && pwd)
    port=$2
    controller=${3:-$(free_ports 1)}
    FURTHER_PROPERTIES=${4:-}
    prepare "$dir" 1 "$port" "$controller" "1@127.0.0.1:$controller" 1 "$(random_uuid)" "${@:5}"
}

serve() {
    [ -f "${1:-}/server.properties" ] || die "${1:-(no directory)} was not prepared with kafka.sh format"
    kafka_java kafka.Kafka "$1/server.properties"
}

wait_until_ready() {
    local brokers=$1 nodes=$2 deadline=$((SECONDS + READY_DEADLINE_SECONDS)) pid answer
    while [ "$SECONDS" -lt "$deadline" ]; do
        for pid in "${PIDS[@]}"; do
            kill -0 "$pid" 2>/dev/null || return 1
        done
        answer=$(timeout 5 kcat -b "$brokers" -L -m 3 2>/dev/null || true)
        if grep -q "^ $nodes brokers" <<<"$answer"; then return 0; fi
        sleep 0.2
    done
    return 1
}

PIDS=()
RUN_DIR=
FURTHER_PROPERTIES=
OWN_DIR=

# Ctrl-C reaches the brokers too (they share the terminal's group), so that here is only waiting, with a limit.
stop_all() {
    trap - EXIT INT TERM
    local pid deadline=$((SECONDS + 15))
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do
        while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    [ -z "$OWN_DIR" ] || rm -rf "$OWN_DIR"
}

run() {
    local port='' nodes=1 topic='' far='' i
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || die "$1 wants a value"
        case "$1" in
        --port) port=$2 ;;
        --nodes) nodes=$2 ;;
        --dir) RUN_DIR=$2 ;;
        --topic) topic=$2 ;;
        --far) far=$2 ;;
        *) die "what is $1? run takes --port, --nodes, --dir, --topic, --far" ;;
        esac
        shift 2
    done
    case "$nodes" in 1 | 3) ;; *) die "--nodes is 1 or 3" ;; esac
    [ -z "$far" ] || [ "$nodes" = 1 ] || die "--far is for one node"
    ls "$LIB"/kafka_2.13-*.jar >/dev/null 2>&1 || die "Kafka is not in target/kafka/lib; fetch it with: tests/tools/setup.sh test"

    if [ -z "$RUN_DIR" ]; then
        OWN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/viewtail-kafka.XXXXXX")
        RUN_DIR=$OWN_DIR
    fi
    trap stop_all EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$RUN_DIR"
    RUN_DIR=$(cd "$RUN_DIR" && pwd)

    local ports controllers voters='' brokers='' cluster
    read -r -a ports <<<"$(free_ports "$nodes")"
    read -r -a controllers <<<"$(free_ports "$nodes")"
    if [ -n "$port" ]; then
        # Otherwise a stranger's broker on this port would look like ours.
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then die "port $port is in use; choose another with --port"; fi
        ports[0]=$port
    fi
    [ -z "$far" ] || tell_others "$far" "${ports[0]}" "${controllers[0]}"
    cluster=$(random_uuid)
    for ((i = 0; i < nodes; i++)); do
        voters+="${voters:+,}$((i + 1))@127.0.0.1:${controllers[i]}"
        brokers+="${brokers:+,}127.0.0.1:${ports[i]}"
    done
    for ((i = 0; i < nodes; i++)); do
        local dir=$RUN_DIR/node$((i + 1))
        [ ! -d "$dir/data" ] || die "$dir already holds a node's data; remove it or choose another --dir"
        prepare "$dir" $((i + 1)) "${ports[i]}" "${controllers[i]}" "$voters" "$nodes" "$cluster"
        "$0" serve "$dir" >"$dir/server.log" 2>&1 &
        PIDS+=($!)
    done
    wait_until_ready "$brokers" "$nodes" ||
        die "the broker ended or did not answer within $READY_DEADLINE_SECONDS s; its last words: $(tail -n 3 "$RUN_DIR/node1/server.log")"
    if [ -n "$topic" ]; then
        (kafka_java org.apache.kafka.tools.TopicCommand --bootstrap-server "$brokers" --create --if-not-exists \
            --topic "$topic" --partitions 3 --replication-factor "$nodes") >"$RUN_DIR/topic.log" 2>&1 ||
            die "the topic $topic could not be created: $(tail -n 3 "$RUN_DIR/topic.log")"
    fi
    tell "$brokers" "${topic:-TOPIC}"
    # A broker that ends by itself is news, not a normal end.
    wait -n "${PIDS[@]}" || true
    die "a broker ended by itself; its last words: $(tail -n 3 "$RUN_DIR"/node*/server.log)"
}

# tell_others FAR PORT CONTROLLER_PORT: a further listener, whose clients are told to come to FAR, where something stands between.
tell_others() {
    FURTHER_PROPERTIES=$RUN_DIR/far.properties
    cat >"$FURTHER_PROPERTIES" <<PROPERTIES
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3,FAR://127.0.0.1:$(free_ports 1)
advertised.listeners=PLAINTEXT://127.0.0.1:$2,FAR://127.0.0.1:$1
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FAR:PLAINTEXT
PROPERTIES
}

tell() {
    local tab='\t'
    cat <<TEXT
ready $1
Apache Kafka is up: $1${2:+ (topic $2)}, logs in $RUN_DIR

In agent.yaml:
  kafka: {brokers: [${1//,/, }], topic: $2}

Read it as a read_committed consumer (anything else also shows what was aborted):
  kcat -C -b $1 -t $2 -X isolation.level=read_committed -o beginning -e -f '%p${tab}%o${tab}%k${tab}%s\\n'
  java -cp '$LIB/*' org.apache.kafka.tools.consumer.ConsoleConsumer \\
      --bootstrap-server $1 --topic $2 --isolation-level read_committed --from-beginning

Ctrl-C ends it and removes its data.
TEXT
}

case "${1:-}" in
run) shift; run "$@" ;;
format) shift; format_one "$@" ;;
serve) shift; serve "$@" ;;
tool) shift; kafka_java "$@" ;;
*) die "say what: kafka.sh run | format | serve | tool" ;;
esac
