# Sourced by tests/check and tests/demo: building, and showing that something happens.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m -- "${WNA_BUILD:-$root/build/check}")
logs=$build/logs

# busy WHAT COMMAND...: runs it with its output in a log file, says every ten
# seconds what it is at, and shows the log's end if it fails.
busy() {
	local what=$1 log start pid last
	shift
	mkdir -p "$logs"
	log=$logs/${what//[^a-z0-9]/-}.log
	start=$SECONDS
	echo "-- $what"
	"$@" > "$log" 2>&1 < /dev/null &
	pid=$!
	last=$SECONDS
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2 # only how soon progress is shown; the end is waited for below
		if [ $((SECONDS - last)) -ge 10 ]; then
			last=$SECONDS
			echo "   $what, $((SECONDS - start)) s: $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"
		fi
	done
	if wait "$pid"; then
		return 0
	fi
	echo "** $what failed; the end of $log:"
	tail -n 60 "$log"
	return 1
}

# configure_and_build PRESET [OPTION...]: into $build/PRESET.
configure_and_build() {
	local preset=$1
	shift
	(cd "$root" && cmake --preset "$preset" -B "$build/$preset" "$@") &&
		cmake --build "$build/$preset"
}

# What `cmake --install` lays out, in $build/stage.
stage_release() {
	configure_and_build release -DWNA_WERROR=ON &&
		rm -rf "$build/stage" &&
		DESTDIR=$build/stage cmake --install "$build/release"
}

# The Python of the system suite, from the lock file; rebuilt when that changes.
make_venv() {
	local lock=$root/tests/setup/requirements.lock
	if cmp -s "$lock" "$build/venv/lock"; then
		return 0
	fi
	rm -rf "$build/venv"
	/usr/bin/python3 -m venv "$build/venv" &&
		"$build/venv/bin/pip" install --require-hashes --no-deps -r "$lock" &&
		cp "$lock" "$build/venv/lock"
}
