# Completion of tdnf in fish. The candidates come from tdnf itself and its cache.

function __tdnf_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command $words[1] __complete $words[2..] "$current" 2>/dev/null)
    if test $status -eq 3
        __fish_complete_path "$current"
    else
        printf '%s\n' $found
    end
end

for name in tdnf yum tyum tdnfj
    complete -c $name -f -a '(__tdnf_complete)'
end
