//! Enums as tables.

/// Defines an enum as a table: a row for each variant, with what stands for it elsewhere (a word, a number, tags).
/// The enum gets `ALL`, its variants in order, and a private `row`, which gives what stands beside one.
#[macro_export]
macro_rules! table {
    ($(#[$meta:meta])* $vis:vis enum $name:ident: $row:ty {
        $($(#[$doc:meta])* $variant:ident => $value:expr,)+
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order of the enum.
            $vis const ALL: [$name; [$($name::$variant),+].len()] = [$($name::$variant),+];

            const fn row(self) -> $row {
                match self { $($name::$variant => $value,)+ }
            }
        }
    };
}
