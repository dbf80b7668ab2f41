# shellcheck shell=bash
# Starts throw-away servers beside each other, in the folder `scratch`, and ends them. For a script
# that calls end_servers before it ends, and then removes the folder.

servers=()
# What a server is told beside its folder and its port.
server_options=()
scratch=$(mktemp -d)
# Postgres runs as another user, who has to get to its folder below this one.
chmod 711 "$scratch"

# Starts scripts/KIND in $scratch/NAME and does not wait for it. The name is the kind unless it is given.
start_server() { # kind, name
    local kind=$1 name=${2:-$1} port
    mkdir -p "$scratch/$name"
    find_port
    "scripts/$kind" "$scratch/$name" "$port" ${server_options[@]+"${server_options[@]}"} \
        </dev/null >"$scratch/$name.log" 2>&1 &
    servers+=("$kind $!")
    echo "$port $!" >"$scratch/$name.started"
}

# Waits until it answers. One whose port was taken meanwhile ends, and the next is tried.
await_server() { # kind, name
    local kind=$1 name=${2:-$1} end=$((SECONDS + 120)) port pid
    for _ in 1 2 3 4 5; do
        read -r port pid <"$scratch/$name.started"
        while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)); do
            ! "answers_$kind" "$name" || return 0
            sleep 0.05
        done
        ((SECONDS < end)) || break
        start_server "$kind" "$name"
    done
    cat "$scratch/$name.log" >&2
    return 1
}

answers_kafka() {
    grep -qs 'Kafka Server started' "$scratch/$1.log"
}

answers_postgres() {
    grep -qs '^ready' "$scratch/$1/data/postmaster.pid"
}

answers_rabbitmq() {
    grep -qs 'completed with .* plugins' "$scratch/$1.log"
}

end_servers() {
    local server
    for server in ${servers[@]+"${servers[@]}"}; do
        # Ends a script that still prepares, and Kafka.
        kill -TERM "${server#* }" 2>/dev/null || true
        case $server in
        # The fast stop: it ends sessions instead of waiting for them.
        postgres*) kill -INT "${server#* }" 2>/dev/null || true ;;
        # An orderly stop takes seconds, and for nothing: its folder is thrown away.
        rabbitmq*) kill -KILL "${server#* }" 2>/dev/null || true ;;
        esac
    done
    for server in ${servers[@]+"${servers[@]}"}; do
        wait "${server#* }" 2>/dev/null || true
    done
}

# Sets `port` to the first of four that nobody listens on, since brokers take those after it too. They
# are below the range from which the system hands out ports, or a client may hold one, or connect to
# itself.
find_port() {
    local next
    while :; do
        port=$((15000 + RANDOM % 3700 * 4))
        for next in 0 1 2 3; do
            ! (exec 3<>"/dev/tcp/127.0.0.1/$((port + next))") 2>/dev/null || continue 2
        done
        return
    done
}

port_of() { # name
    cut -d' ' -f1 <"$scratch/$1.started"
}

postgres_url() { # name
    echo "postgres://postgres:$(cat "$scratch/$1/password")@127.0.0.1:$(port_of "$1")/postgres"
}

find_postgres() {
    local bin
    while read -r bin; do
        [[ ! -x $bin/initdb || ! -x $bin/postgres ]] || { echo "$bin" && return; }
    done < <(
        echo "${TESSERA_TEST_POSTGRES_BIN:-}"
        # Distributions put only a link on the PATH, if anything; Postgres finds its files beside itself.
        dirname "$(readlink -f "$(command -v initdb || echo /)")"
        printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV
    )
    return 1
}

find_kafka() {
    local lib
    java_works && command -v openssl >/dev/null || return 1
    for lib in "${TESSERA_TEST_KAFKA_LIB:-}" "$(kafka_cache)"; do
        ! compgen -G "$lib/kafka-tools-*.jar" >/dev/null || { echo "$lib" && return; }
    done
    return 1
}

kafka_cache() {
    echo "$cache/kafka-$(cksum <scripts/kafka.pom.xml | cut -d' ' -f1)"
}

# Some systems have one that only says where to get it.
java_works() {
    [[ $(java -version 2>&1) =~ version\ \"([0-9]+) ]] && ((BASH_REMATCH[1] >= 17))
}

# Debian's program on the PATH becomes another user and stays in between; one beside rabbitmq-env does not.
find_rabbitmq() {
    local bin
    command -v openssl >/dev/null || return 1
    while read -r bin; do
        [[ ! -x $bin/rabbitmq-server || ! -e $bin/rabbitmq-env ]] || { echo "$bin" && return; }
    done < <(
        echo "${TESSERA_TEST_RABBITMQ_BIN:-}"
        dirname "$(readlink -f "$(command -v rabbitmq-server || echo /)")"
        printf '%s\n' /usr/lib/rabbitmq/bin {/opt/homebrew,/usr/local}/opt/rabbitmq/sbin
    )
    return 1
}
