# shellcheck shell=bash
# Runs servers that the tests need in containers, where none is installed. For a script that calls
# end_containers before it ends.

engine='' containers=()

# A client without a daemon is common, so the engine is asked.
find_engine() {
    [[ -z $engine ]] || return 0
    for engine in docker podman; do
        ! timeout 20 "$engine" info >/dev/null 2>&1 || return 0
    done
    engine=''
    return 1
}

contain_postgres() {
    POSTGRES_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export POSTGRES_PASSWORD
    start_container -p 127.0.0.1::5432 -e POSTGRES_PASSWORD docker.io/library/postgres:17 \
        -c fsync=off -c full_page_writes=off -c synchronous_commit=on -c max_connections=200
    # While the image prepares itself its server has no TCP port.
    await_container pg_isready -q -h 127.0.0.1
    TESSERA_TEST_POSTGRES_URL="postgres://postgres:$POSTGRES_PASSWORD@$(container_address 5432)/postgres"
    export TESSERA_TEST_POSTGRES_URL
    unset POSTGRES_PASSWORD
}

# A broker says at which address it is found, so its port has to be known before, and the same inside.
contain_kafka() {
    local port
    find_port
    start_container -p "127.0.0.1:$port:$port" \
        -e CLUSTER_ID=aMryMscHhYKAiCY3O2ZyJg -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller \
        -e KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
        -e KAFKA_LISTENERS="PLAINTEXT://:$port,CONTROLLER://:9093" \
        -e KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://127.0.0.1:$port" \
        -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
        -e KAFKA_AUTO_CREATE_TOPICS_ENABLE=false -e KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0 \
        -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 \
        -e KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 -e KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 \
        docker.io/apache/kafka:4.1.1
    await_container /opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server "127.0.0.1:$port"
    export TESSERA_TEST_KAFKA="127.0.0.1:$port"
}

contain_rabbitmq() {
    start_container -p 127.0.0.1::5672 -p 127.0.0.1::15672 docker.io/library/rabbitmq:4-management
    await_container rabbitmq-diagnostics -q check_port_connectivity
    TESSERA_TEST_RABBITMQ="amqp://guest:guest@$(container_address 5672)/%2f"
    TESSERA_TEST_RABBITMQ_API="http://$(container_address 15672)"
    export TESSERA_TEST_RABBITMQ TESSERA_TEST_RABBITMQ_API
}

# Sets `container`.
start_container() { # arguments of run
    container=$("$engine" run -d --rm "$@")
    containers+=("$container")
}

await_container() { # a command that succeeds inside it when it answers
    until "$engine" exec "$container" "$@" >/dev/null 2>&1; do
        [[ $("$engine" inspect -f '{{.State.Running}}' "$container") == true ]] ||
            { echo "the container ended before it answered: $1" >&2 && exit 1; }
        sleep 0.2
    done
}

container_address() { # port inside
    "$engine" port "$container" "$1/tcp" | head -n 1
}

end_containers() {
    local container
    for container in ${containers[@]+"${containers[@]}"}; do
        "$engine" rm -f "$container" >/dev/null || true
    done
}
