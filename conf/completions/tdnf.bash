# Completion of tdnf in bash. The candidates come from tdnf itself and its cache.

_tdnf() {
    local line=${COMP_LINE:0:COMP_POINT} current candidate
    local -a words
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=("") ;; esac
    current=${words[${#words[@]} - 1]}
    COMPREPLY=()
    local found
    found=$("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    if [ $? -eq 3 ]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r candidate; do
        [ -n "$candidate" ] || continue
        candidate=${candidate%%$'\t'*}
        # Readline has broken the word at the equal sign.
        case $current in *=*) candidate=${candidate#*=} ;; esac
        case $candidate in *=) compopt -o nospace 2>/dev/null ;; esac
        COMPREPLY+=("$candidate")
    done <<<"$found"
}

complete -F _tdnf tdnf yum tyum tdnfj
