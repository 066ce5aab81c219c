//! Tag numbers, and the type that each known tag must have.
//!
//! Numbers and types: rpm 4.18 and 6.1. The `SIG_` tags are those of a signature header whose number
//! means something else in a main header.

use super::TagType;

/// Region tag that very old signature headers have in their trailer.
pub const HEADERIMAGE: u32 = 61;
/// Region tag of a signature header.
pub const HEADERSIGNATURES: u32 = 62;
/// Region tag of a main header.
pub const HEADERIMMUTABLE: u32 = 63;
/// Signature header: size of header and payload.
pub const SIG_SIZE: u32 = 1000;
/// Signature header: RSA signature over header and payload.
pub const SIG_PGP: u32 = 1002;
/// Signature header: MD5 of header and payload.
pub const SIG_MD5: u32 = 1004;
/// Signature header: DSA or EdDSA signature over header and payload.
pub const SIG_GPG: u32 = 1005;
/// Signature header: size of the uncompressed payload.
pub const SIG_PAYLOADSIZE: u32 = 1007;
/// Signature header: zeros, room for signing later (v6).
pub const SIG_RESERVED: u32 = 999;
/// Signature header: IMA signatures, hex.
pub const SIG_FILESIGNATURES: u32 = 274;
/// Signature header: length of an IMA signature.
pub const SIG_FILESIGNATURELENGTH: u32 = 275;

/// A table of tags: name, number, type.
macro_rules! tags {
    ($($name:ident $number:literal $kind:ident;)*) => {
        $(
            #[doc = concat!("Tag ", stringify!($number), ", of type ", stringify!($kind), ".")]
            pub const $name: u32 = $number;
        )*

        /// The type that rpm 4.18 demands of a known tag in a main header or database record.
        pub fn known_type(tag: u32) -> Option<TagType> {
            Some(match tag {
                $($name => TagType::$kind,)*
                _ => return None,
            })
        }
    };
}

tags! {
    HEADERI18NTABLE 100 StringArray;
    SIGSIZE 257 Int32;
    SIGPGP 259 Bin;
    SIGMD5 261 Bin;
    SIGGPG 262 Bin;
    PUBKEYS 266 StringArray;
    DSAHEADER 267 Bin;
    RSAHEADER 268 Bin;
    SHA1HEADER 269 String;
    LONGSIGSIZE 270 Int64;
    LONGARCHIVESIZE 271 Int64;
    SHA256HEADER 273 String;
    VERITYSIGNATURES 276 StringArray;
    VERITYSIGNATUREALGO 277 Int32;
    OPENPGP 278 StringArray;
    SHA3_256HEADER 279 String;
    NAME 1000 String;
    VERSION 1001 String;
    RELEASE 1002 String;
    EPOCH 1003 Int32;
    SUMMARY 1004 I18nString;
    DESCRIPTION 1005 I18nString;
    BUILDTIME 1006 Int32;
    BUILDHOST 1007 String;
    INSTALLTIME 1008 Int32;
    SIZE 1009 Int32;
    DISTRIBUTION 1010 String;
    VENDOR 1011 String;
    GIF 1012 Bin;
    XPM 1013 Bin;
    LICENSE 1014 String;
    PACKAGER 1015 String;
    GROUP 1016 I18nString;
    SOURCE 1018 StringArray;
    PATCH 1019 StringArray;
    URL 1020 String;
    OS 1021 String;
    ARCH 1022 String;
    PREIN 1023 String;
    POSTIN 1024 String;
    PREUN 1025 String;
    POSTUN 1026 String;
    OLDFILENAMES 1027 StringArray;
    FILESIZES 1028 Int32;
    FILESTATES 1029 Char;
    FILEMODES 1030 Int16;
    FILERDEVS 1033 Int16;
    FILEMTIMES 1034 Int32;
    FILEDIGESTS 1035 StringArray;
    FILELINKTOS 1036 StringArray;
    FILEFLAGS 1037 Int32;
    FILEUSERNAME 1039 StringArray;
    FILEGROUPNAME 1040 StringArray;
    ICON 1043 Bin;
    SOURCERPM 1044 String;
    FILEVERIFYFLAGS 1045 Int32;
    ARCHIVESIZE 1046 Int32;
    PROVIDENAME 1047 StringArray;
    REQUIREFLAGS 1048 Int32;
    REQUIRENAME 1049 StringArray;
    REQUIREVERSION 1050 StringArray;
    NOSOURCE 1051 Int32;
    NOPATCH 1052 Int32;
    CONFLICTFLAGS 1053 Int32;
    CONFLICTNAME 1054 StringArray;
    CONFLICTVERSION 1055 StringArray;
    EXCLUDEARCH 1059 StringArray;
    EXCLUDEOS 1060 StringArray;
    EXCLUSIVEARCH 1061 StringArray;
    EXCLUSIVEOS 1062 StringArray;
    RPMVERSION 1064 String;
    TRIGGERSCRIPTS 1065 StringArray;
    TRIGGERNAME 1066 StringArray;
    TRIGGERVERSION 1067 StringArray;
    TRIGGERFLAGS 1068 Int32;
    TRIGGERINDEX 1069 Int32;
    VERIFYSCRIPT 1079 String;
    CHANGELOGTIME 1080 Int32;
    CHANGELOGNAME 1081 StringArray;
    CHANGELOGTEXT 1082 StringArray;
    PREINPROG 1085 StringArray;
    POSTINPROG 1086 StringArray;
    PREUNPROG 1087 StringArray;
    POSTUNPROG 1088 StringArray;
    BUILDARCHS 1089 StringArray;
    OBSOLETENAME 1090 StringArray;
    VERIFYSCRIPTPROG 1091 StringArray;
    TRIGGERSCRIPTPROG 1092 StringArray;
    COOKIE 1094 String;
    FILEDEVICES 1095 Int32;
    FILEINODES 1096 Int32;
    FILELANGS 1097 StringArray;
    PREFIXES 1098 StringArray;
    INSTPREFIXES 1099 StringArray;
    SOURCEPACKAGE 1106 Int32;
    PROVIDEFLAGS 1112 Int32;
    PROVIDEVERSION 1113 StringArray;
    OBSOLETEFLAGS 1114 Int32;
    OBSOLETEVERSION 1115 StringArray;
    DIRINDEXES 1116 Int32;
    BASENAMES 1117 StringArray;
    DIRNAMES 1118 StringArray;
    ORIGDIRINDEXES 1119 Int32;
    ORIGBASENAMES 1120 StringArray;
    ORIGDIRNAMES 1121 StringArray;
    OPTFLAGS 1122 String;
    DISTURL 1123 String;
    PAYLOADFORMAT 1124 String;
    PAYLOADCOMPRESSOR 1125 String;
    PAYLOADFLAGS 1126 String;
    INSTALLCOLOR 1127 Int32;
    INSTALLTID 1128 Int32;
    REMOVETID 1129 Int32;
    PLATFORM 1132 String;
    PATCHESNAME 1133 StringArray;
    PATCHESFLAGS 1134 Int32;
    PATCHESVERSION 1135 StringArray;
    FILECOLORS 1140 Int32;
    FILECLASS 1141 Int32;
    CLASSDICT 1142 StringArray;
    FILEDEPENDSX 1143 Int32;
    FILEDEPENDSN 1144 Int32;
    DEPENDSDICT 1145 Int32;
    SOURCEPKGID 1146 Bin;
    FILECONTEXTS 1147 StringArray;
    POLICIES 1150 StringArray;
    PRETRANS 1151 String;
    POSTTRANS 1152 String;
    PRETRANSPROG 1153 StringArray;
    POSTTRANSPROG 1154 StringArray;
    DISTTAG 1155 String;
    LONGFILESIZES 5008 Int64;
    LONGSIZE 5009 Int64;
    FILECAPS 5010 StringArray;
    FILEDIGESTALGO 5011 Int32;
    BUGURL 5012 String;
    PREINFLAGS 5020 Int32;
    POSTINFLAGS 5021 Int32;
    PREUNFLAGS 5022 Int32;
    POSTUNFLAGS 5023 Int32;
    PRETRANSFLAGS 5024 Int32;
    POSTTRANSFLAGS 5025 Int32;
    VERIFYSCRIPTFLAGS 5026 Int32;
    TRIGGERSCRIPTFLAGS 5027 Int32;
    POLICYNAMES 5030 StringArray;
    POLICYTYPES 5031 StringArray;
    POLICYTYPESINDEXES 5032 Int32;
    POLICYFLAGS 5033 Int32;
    VCS 5034 String;
    ORDERNAME 5035 StringArray;
    ORDERVERSION 5036 StringArray;
    ORDERFLAGS 5037 Int32;
    RECOMMENDNAME 5046 StringArray;
    RECOMMENDVERSION 5047 StringArray;
    RECOMMENDFLAGS 5048 Int32;
    SUGGESTNAME 5049 StringArray;
    SUGGESTVERSION 5050 StringArray;
    SUGGESTFLAGS 5051 Int32;
    SUPPLEMENTNAME 5052 StringArray;
    SUPPLEMENTVERSION 5053 StringArray;
    SUPPLEMENTFLAGS 5054 Int32;
    ENHANCENAME 5055 StringArray;
    ENHANCEVERSION 5056 StringArray;
    ENHANCEFLAGS 5057 Int32;
    ENCODING 5062 String;
    FILETRIGGERSCRIPTS 5066 StringArray;
    FILETRIGGERSCRIPTPROG 5067 StringArray;
    FILETRIGGERSCRIPTFLAGS 5068 Int32;
    FILETRIGGERNAME 5069 StringArray;
    FILETRIGGERINDEX 5070 Int32;
    FILETRIGGERVERSION 5071 StringArray;
    FILETRIGGERFLAGS 5072 Int32;
    TRANSFILETRIGGERSCRIPTS 5076 StringArray;
    TRANSFILETRIGGERSCRIPTPROG 5077 StringArray;
    TRANSFILETRIGGERSCRIPTFLAGS 5078 Int32;
    TRANSFILETRIGGERNAME 5079 StringArray;
    TRANSFILETRIGGERINDEX 5080 Int32;
    TRANSFILETRIGGERVERSION 5081 StringArray;
    TRANSFILETRIGGERFLAGS 5082 Int32;
    FILETRIGGERPRIORITIES 5084 Int32;
    TRANSFILETRIGGERPRIORITIES 5085 Int32;
    FILESIGNATURES 5090 StringArray;
    FILESIGNATURELENGTH 5091 Int32;
    PAYLOADSHA256 5092 StringArray;
    PAYLOADSHA256ALGO 5093 Int32;
    MODULARITYLABEL 5096 String;
    PAYLOADSHA256ALT 5097 StringArray;
    SPEC 5099 String;
    TRANSLATIONURL 5100 String;
    UPSTREAMRELEASES 5101 String;
    PREUNTRANS 5103 String;
    POSTUNTRANS 5104 String;
    PREUNTRANSPROG 5105 StringArray;
    POSTUNTRANSPROG 5106 StringArray;
    PREUNTRANSFLAGS 5107 Int32;
    POSTUNTRANSFLAGS 5108 Int32;
    SYSUSERS 5109 StringArray;
    PAYLOADSIZE 5112 Int64;
    PAYLOADSIZEALT 5113 Int64;
    RPMFORMAT 5114 Int32;
    FILEMIMEINDEX 5115 Int32;
    MIMEDICT 5116 StringArray;
    FILEMIMES 5117 StringArray;
    PACKAGEDIGESTS 5118 StringArray;
    PACKAGEDIGESTALGOS 5119 Int32;
    SOURCENEVR 5120 String;
    PAYLOADSHA512 5121 String;
    PAYLOADSHA512ALT 5122 String;
    PAYLOADSHA3_256 5123 String;
    PAYLOADSHA3_256ALT 5124 String;
}
