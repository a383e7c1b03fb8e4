//! `completion`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{arguments::Arguments, failure::Failure, output::print};

/// Print a shell's completions for this command.
///
/// bash and fish complete profiles, accounts and APIs too.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  source <(intelliauth-token completion bash)
  intelliauth-token completion fish > ~/.config/fish/completions/intelliauth-token.fish";

impl Completion {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let mut command = Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "intelliauth-token", &mut script);
        let names = match self.shell {
            Shell::Bash => BASH,
            Shell::Fish => FISH,
            _ => "",
        };
        print(&format!("{}{names}", String::from_utf8_lossy(&script)))
    }
}

/// Stands before the generated function, and asks it about everything that is no name.
const BASH: &str = r#"
_intelliauth_token_names() {
    local previous="${COMP_WORDS[COMP_CWORD-1]}" current="${COMP_WORDS[COMP_CWORD]}" names=""
    case "$previous" in
        --profile|use|remove|show) names="$(intelliauth-token words profiles 2>/dev/null)" ;;
        --account) names="$(intelliauth-token words accounts 2>/dev/null)" ;;
        --audience|token|exec|curl|explain) names="$(intelliauth-token words audiences 2>/dev/null)" ;;
    esac
    if [[ -n "$names" && "$current" != -* ]]; then
        COMPREPLY=( $(compgen -W "$names" -- "$current") )
    else
        _intelliauth__token "$@"
    fi
}
complete -F _intelliauth_token_names -o bashdefault -o default intelliauth-token
"#;

const FISH: &str = "
complete -c intelliauth-token -l profile -x -a '(intelliauth-token words profiles 2>/dev/null)'
complete -c intelliauth-token -l account -x -a '(intelliauth-token words accounts 2>/dev/null)'
complete -c intelliauth-token -l audience -x -a '(intelliauth-token words audiences 2>/dev/null)'
complete -c intelliauth-token -n '__fish_seen_subcommand_from token exec curl explain' -f -a '(intelliauth-token words audiences 2>/dev/null)'
complete -c intelliauth-token -n '__fish_seen_subcommand_from use remove show' -f -a '(intelliauth-token words profiles 2>/dev/null)'
";
