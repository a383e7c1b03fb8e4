//! The README's first lines, as a new user types them.

use intelliauth_emulator::sample;

use crate::support::{SignIn, World, answer, stderr};

/// The commands of the first block of the README.
fn first_commands() -> Vec<Vec<String>> {
    let readme = include_str!("../../README.md");
    let block = readme.split("```console\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let words = |line: &str| {
        let line = line.strip_prefix("$ intelliauth-token ")?;
        Some(line.split_whitespace().map(str::to_owned).collect())
    };
    block
        .replace("\\\n", " ")
        .lines()
        .filter_map(words)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_three_lines_of_the_readme_work() {
    let world = World::new().await;
    let mut commands = first_commands();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for word in commands.iter_mut().flatten() {
        if word.starts_with("https://banking-cymmetri") {
            world.emulator.issuer().clone_into(word);
        }
    }
    let [add, login, token] = [0, 1, 2]
        .map(|index| -> Vec<&str> { commands[index].iter().map(String::as_str).collect() });
    answer(&world.run(&add));
    // A machine without a browser: the person takes another.
    let mut sign_in = SignIn::start(&mut world.command(&login));
    let code = sign_in.next_indented();
    let alice = world.emulator.login_as(sample::ALICE);
    alice.device_approve(&code).await.unwrap();
    let output = sign_in.end();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(answer(&world.run(&token)).starts_with("eyJ"));
}
