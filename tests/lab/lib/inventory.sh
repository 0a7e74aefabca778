# shellcheck shell=bash
# The nodes of the lab, read from nodes.tsv.
# The arrays are read by the other parts.
# shellcheck disable=SC2034

declare -a NODES=()
declare -A NODE_ROLE=() NODE_OCTET=() NODE_LOGIN=() NODE_SITE=() NODE_JURISDICTION=() NODE_OPTIONS=()

load_inventory() {
    local name role octet login site jurisdiction options
    while read -r name role octet login site jurisdiction options; do
        [[ -n $name && $name != \#* ]] || continue
        NODES+=("$name")
        NODE_ROLE[$name]=$role
        NODE_OCTET[$name]=$octet
        NODE_LOGIN[$name]=$login
        NODE_SITE[$name]=$site
        NODE_JURISDICTION[$name]=$jurisdiction
        NODE_OPTIONS[$name]=$options
    done <"$LAB_SOURCE/nodes.tsv"
}

require_node() {
    [[ -n ${1:-} ]] || usage_error "which node? One of: ${NODES[*]}"
    [[ -n ${NODE_ROLE[$1]:-} ]] || usage_error "no node '$1'. The lab has: ${NODES[*]}"
}

node_has_option() { [[ ,${NODE_OPTIONS[$1]}, == *,$2,* ]]; }
