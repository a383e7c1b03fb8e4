//! The file that the profiles are in. What a person wrote around them, comments above all, stays as it is.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::Profile;
use crate::{failure::Failure, places::Places};

/// The profiles, and which of them is in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProfileFile {
    text: String,
    pub(crate) profiles: BTreeMap<String, Profile>,
    in_use: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

impl ProfileFile {
    /// Reads both files; what is not there is empty.
    pub(crate) fn read(places: &Places) -> Result<Self, Failure> {
        let path = places.profiles();
        let text = read(&path)?.unwrap_or_default();
        let in_use = read(&places.profile_in_use())?.map(|name| name.trim().to_owned());
        Ok(Self {
            profiles: parse(&text, &path)?,
            text,
            in_use: in_use.filter(|name| !name.is_empty()),
        })
    }

    /// The name of the profile in use: the one that was chosen, else the only one.
    pub(crate) fn in_use(&self) -> Option<&str> {
        let only = || match self.profiles.len() {
            1 => self.profiles.keys().next().map(String::as_str),
            _ => None,
        };
        self.in_use.as_deref().or_else(only)
    }

    /// The profile of this name.
    pub(crate) fn get(&self, name: &str) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let near = self
                .profiles
                .keys()
                .max_by(|one, two| similarity(one, name).total_cmp(&similarity(two, name)));
            let advice = near.map_or_else(
                || "there is no profile yet".to_owned(),
                |near| format!("there is one called `{near}`"),
            );
            Failure::usage(format!("there is no profile `{name}`"))
                .advising(advice)
                .then("intelliauth-token profile list")
        })
    }

    /// Writes a profile behind those that are there.
    pub(crate) fn add(
        &mut self,
        places: &Places,
        name: &str,
        profile: Profile,
    ) -> Result<(), Failure> {
        check_name(name)?;
        if self.profiles.contains_key(name) {
            return Err(
                Failure::usage(format!("there is a profile `{name}` already"))
                    .then(format!("intelliauth-token profile remove {name}")),
            );
        }
        let one = Written {
            profile: BTreeMap::from([(name.to_owned(), profile.clone())]),
        };
        let added = toml::to_string(&one)
            .map_err(|error| Failure::other("the profile cannot be written").caused_by(&error))?;
        // The table that holds them all needs no header of its own.
        let added = added.trim_start_matches("[profile]\n").trim_start();
        let gap = if self.text.is_empty() || self.text.ends_with("\n\n") {
            ""
        } else if self.text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        let mut expected = self.profiles.clone();
        expected.insert(name.to_owned(), profile);
        self.write(places, format!("{}{gap}{added}", self.text), expected)
    }

    /// Takes a profile out, and leaves everything else as it is written.
    pub(crate) fn remove(&mut self, places: &Places, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        let mut expected = self.profiles.clone();
        expected.remove(name);
        self.write(places, without(&self.text, name), expected)?;
        if self.in_use.as_deref() == Some(name) {
            self.in_use = None;
            replace(&places.profile_in_use(), "")?;
        }
        Ok(())
    }

    /// Makes a profile the one in use.
    pub(crate) fn choose(&mut self, places: &Places, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        replace(&places.profile_in_use(), &format!("{name}\n"))?;
        self.in_use = Some(name.to_owned());
        Ok(())
    }

    /// Writes the text if it says what it is meant to say: a file by hand may have any form.
    fn write(
        &mut self,
        places: &Places,
        text: String,
        expected: BTreeMap<String, Profile>,
    ) -> Result<(), Failure> {
        let path = places.profiles();
        if parse(&text, &path).ok().as_ref() != Some(&expected) {
            return Err(Failure::other(format!(
                "{} is written in a way that cannot be changed without harm",
                path.display()
            ))
            .advising("change it in an editor: one table [profile.NAME] for each"));
        }
        replace(&path, &text)?;
        (self.text, self.profiles) = (text, expected);
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::usage(format!("cannot read {}", path.display())).caused_by(&error))
        }
    }
}

fn parse(text: &str, path: &Path) -> Result<BTreeMap<String, Profile>, Failure> {
    let written: Written = toml::from_str(text).map_err(|error| {
        Failure::usage(format!("{} is wrong", path.display()))
            .caused_by(&error)
            .then("intelliauth-token doctor")
    })?;
    Ok(written.profile)
}

/// Written aside and renamed: a reader finds the old file or the new one.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let directory = path.parent().unwrap_or(path);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| Failure::io(format!("cannot write {}", path.display()), &error))
}

/// The text without the tables of one profile: from their headers to the next one.
fn without(text: &str, name: &str) -> String {
    let own = format!("[profile.{name}]");
    let below = format!("[profile.{name}.");
    let mut is_own = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('[') {
            is_own = line.starts_with(&own) || line.starts_with(&below);
        }
        if !is_own {
            kept.push_str(line);
        }
    }
    kept
}

/// A name that needs no quotes, neither in TOML nor in a shell.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "`{name}` is not a valid name: use letters, digits, - and _"
    )))
}

/// How alike two names are: the share of the bytes at their beginning.
fn similarity(one: &str, two: &str) -> f64 {
    let common = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b);
    let (common, longer) = (common.count(), one.len().max(two.len()).max(1));
    f64::from(u32::try_from(common).unwrap_or(0)) / f64::from(u32::try_from(longer).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_HAND: &str = "# mine\n[profile.work] # the bank\ntenant_url = \"https://a.example\"\nclient_id = \"app_1\"\n\n[profile.work.scopes]\n\"api.x\" = [\"read:x\"]\n\n# and at home\n[profile.home]\ntenant_url = \"https://b.example\"\nclient_id = \"app_2\"\n";

    fn places(directory: &Path) -> Places {
        Places {
            configuration: directory.to_owned(),
            sessions: directory.join("sessions"),
        }
    }

    #[test]
    fn what_a_person_wrote_around_a_profile_stays() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(directory.path());
        fs::write(places.profiles(), BY_HAND).unwrap();
        let mut file = ProfileFile::read(&places).unwrap();
        let profile = Profile {
            tenant_url: "https://c.example".to_owned(),
            client_id: "app_3".to_owned(),
            scopes: BTreeMap::from([("api.y".to_owned(), ["read:y".to_owned()].into())]),
            ..Profile::default()
        };
        file.add(&places, "third", profile).unwrap();
        let text = fs::read_to_string(places.profiles()).unwrap();
        assert!(text.starts_with(BY_HAND), "{text}");
        file.remove(&places, "third").unwrap();
        file.remove(&places, "work").unwrap();
        let text = fs::read_to_string(places.profiles()).unwrap();
        assert!(text.starts_with("# mine\n[profile.home]\n"), "{text}");
        assert_eq!(ProfileFile::read(&places).unwrap().profiles.len(), 1);
    }

    #[test]
    fn a_file_in_another_form_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(directory.path());
        let text =
            "profile = { work = { tenant_url = \"https://a.example\", client_id = \"app_1\" } }\n";
        fs::write(places.profiles(), text).unwrap();
        let mut file = ProfileFile::read(&places).unwrap();
        assert!(file.remove(&places, "work").is_err());
        assert_eq!(fs::read_to_string(places.profiles()).unwrap(), text);
    }

    #[test]
    fn the_only_profile_is_in_use_and_of_several_the_chosen_one() {
        let directory = tempfile::tempdir().unwrap();
        let places = places(directory.path());
        let mut file = ProfileFile::default();
        for name in ["one", "two"] {
            file.add(&places, name, Profile::default()).unwrap();
            assert_eq!(file.in_use(), (name == "one").then_some("one"));
        }
        file.choose(&places, "two").unwrap();
        assert_eq!(ProfileFile::read(&places).unwrap().in_use(), Some("two"));
        file.remove(&places, "two").unwrap();
        assert_eq!(ProfileFile::read(&places).unwrap().in_use(), Some("one"));
        let error = file.get("onne").unwrap_err().to_string();
        assert!(error.contains("`one`"), "{error}");
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = parse("[profile.a]\ntenant = 1\n", Path::new("config.toml")).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `tenant`"),
            "{error}"
        );
    }
}
