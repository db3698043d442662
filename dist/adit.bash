# bash completion for adit; @WORDS@ is filled in from the table of commands when adit is built.
_adit()
{
@WORDS@
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}

    case $previous in
    -s | -c)
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    -l | -a | -w | --from | -u | -f | --sni | --user | --host | --min-bytes)
        COMPREPLY=()
        ;;
    *)
        COMPREPLY=($(compgen -W "$commands $options" -- "$word"))
        ;;
    esac
}
complete -F _adit adit
