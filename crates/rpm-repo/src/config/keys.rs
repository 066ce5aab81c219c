//! What a key of a configuration file is: the one table of a section's keys makes its struct, its
//! defaults, what reads a key, what man pages print, and what tells a known key from a mistyped one.

/// A key that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveKey {
    /// Its name.
    pub name: &'static str,
    /// What counts where it is not set, as it would be written, or in words.
    pub default: &'static str,
    /// What it does, one sentence or two.
    pub about: &'static str,
}

impl EffectiveKey {
    /// A key with its default and what it does.
    pub const fn new(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self {
            name,
            default,
            about,
        }
    }
}

/// Whether a table has a key of this name.
pub(super) fn is_named(keys: &[EffectiveKey], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}

/// Makes the struct of a section. First stand the fields that are no keys, with their defaults; then
/// the keys: name, default in words and what it does; then field, type and default, and what reads a
/// value into the field (a function of the field and a [`KeyLine`](super::value::KeyLine)).
macro_rules! section {
    (
        $(#[$meta:meta])*
        $config:ident { $($(#[$doc:meta])* $own:ident: $own_type:ty = $own_default:expr;)* }
        $(#[$keys_meta:meta])*
        $keys:ident {
            $(
                ($name:literal, $in_words:literal, $about:literal)
                $(| ($alias:literal, $alias_in_words:literal, $alias_about:literal))?
                $(#[$more:meta])*
                $field:ident: $type:ty = $default:expr, $put:expr;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $config {
            $($(#[$doc])* pub $own: $own_type,)*
            $(
                #[doc = concat!("`", $name, "` (default: ", $in_words, "). ", $about)]
                $(#[$more])*
                pub $field: $type,
            )*
            /// Unknown keys, with their places; they have no effect.
            pub unknown_keys: Vec<(String, Place)>,
            /// Lines whose value cannot be read; they have no effect.
            pub unreadable_values: Vec<UnreadableValue>,
            places: BTreeMap<String, Place>,
        }

        $(#[$keys_meta])*
        pub const $keys: &[EffectiveKey] = &[$(
            EffectiveKey::new($name, $in_words, $about),
            $(EffectiveKey::new($alias, $alias_in_words, $alias_about),)?
        )*];

        impl $config {
            fn with_defaults() -> Self {
                Self {
                    $($own: $own_default,)*
                    $($field: $default,)*
                    unknown_keys: Vec::new(),
                    unreadable_values: Vec::new(),
                    places: BTreeMap::new(),
                }
            }

            fn set_key(&mut self, line: &KeyLine<'_>) -> Result<bool> {
                let (key, place) = (line.key.to_owned(), line.place.clone());
                match line.key {
                    $($name $(| $alias)? => $put(&mut self.$field, line)?,)*
                    _ => {
                        self.unknown_keys.push((key, place));
                        return Ok(false);
                    }
                }
                self.places.insert(key, place);
                Ok(true)
            }

            /// Where a key was given; `None` if the value is the default.
            pub fn place_of(&self, key: &str) -> Option<&Place> {
                self.places.get(key)
            }
        }
    };
}
pub(super) use section;
