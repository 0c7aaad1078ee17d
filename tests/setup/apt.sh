# Sourced: apt with folders and sources of its own. Nothing of this machine changes; proxies
# and keys are the machine's. $at: the folder in which all of it happens.
# shellcheck shell=bash disable=SC2154

# private_apt COMMAND...
private_apt() {
	local command=$1
	shift
	APT_CONFIG='' "$command" -qq -c "$at/apt/conf" "$@"
}

# prepare_apt ARCHITECTURE: the sources go into $at/apt/sources before its first use. The
# hooks of the machine's configuration are about its own packages.
prepare_apt() {
	local hook
	rm -rf "$at/apt"
	mkdir -p "$at/apt"/{sources,lists/partial,cache/archives/partial}
	: > "$at/apt/status"
	{
		for hook in APT::Update::{Pre-Invoke,Post-Invoke,Post-Invoke-Success} DPkg::{Pre,Post}-Invoke \
			DPkg::Pre-Install-Pkgs APT::Architectures; do
			echo "#clear $hook;"
		done
		cat <<-END
			APT::Architecture "$1";
			APT::Architectures { "$1"; };
			APT::Install-Recommends "false";
			APT::Sandbox::User "root";
			APT::Update::Error-Mode "any";
			Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
			Acquire::Languages "none";
			Dir::State "$at/apt/";
			Dir::State::lists "$at/apt/lists/";
			Dir::State::status "$at/apt/status";
			Dir::Cache "$at/apt/cache/";
			Dir::Etc::sourcelist "/dev/null";
			Dir::Etc::sourceparts "$at/apt/sources/";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
		END
	} > "$at/apt/conf"
}

# debian_lists FORMAT: of the machine's package lists those of Debian's archive, a line each.
debian_lists() {
	apt-get indextargets --format "$1" 'Created-By: Packages' 'Origin: Debian'
}

# use_debian CODENAME: that release, from where the machine itself gets Debian.
use_debian() {
	local uri
	# shellcheck disable=SC2016 # a variable of apt's
	uri=$(debian_lists '$(REPO_URI)' | sed '/security/d' | sort | head -n 1)
	[ -n "$uri" ] || { echo "no package lists of Debian's; apt-get update?" >&2; return 1; }
	cat > "$at/apt/sources/debian.sources" <<-END
		Types: deb
		URIs: $uri
		Suites: $1
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
}

# packages_of GROUP...: what tests/setup/packages.txt has of these groups, one a line.
packages_of() {
	local group name wanted
	while read -r group name; do
		for wanted in "$@"; do
			if [ "$wanted" = "$group" ]; then echo "$name"; fi
		done
	done < "$(dirname "${BASH_SOURCE[0]}")/packages.txt"
}
