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
/// Signature header: zeros, room for signing later.
pub const SIG_RESERVEDSPACE: u32 = 1008;
/// Signature header: zeros, room for signing later (v6).
pub const SIG_RESERVED: u32 = 999;
/// Signature header: IMA signatures, hex.
pub const SIG_FILESIGNATURES: u32 = 274;
/// Signature header: length of an IMA signature.
pub const SIG_FILESIGNATURELENGTH: u32 = 275;
/// HEADERI18NTABLE: strings.
pub const HEADERI18NTABLE: u32 = 100;
/// SIGSIZE: 32-bit integers.
pub const SIGSIZE: u32 = 257;
/// SIGPGP: bytes.
pub const SIGPGP: u32 = 259;
/// SIGMD5: bytes.
pub const SIGMD5: u32 = 261;
/// SIGGPG: bytes.
pub const SIGGPG: u32 = 262;
/// PUBKEYS: strings.
pub const PUBKEYS: u32 = 266;
/// DSAHEADER: bytes.
pub const DSAHEADER: u32 = 267;
/// RSAHEADER: bytes.
pub const RSAHEADER: u32 = 268;
/// SHA1HEADER: string.
pub const SHA1HEADER: u32 = 269;
/// LONGSIGSIZE: 64-bit integers.
pub const LONGSIGSIZE: u32 = 270;
/// LONGARCHIVESIZE: 64-bit integers.
pub const LONGARCHIVESIZE: u32 = 271;
/// SHA256HEADER: string.
pub const SHA256HEADER: u32 = 273;
/// VERITYSIGNATURES: strings.
pub const VERITYSIGNATURES: u32 = 276;
/// VERITYSIGNATUREALGO: 32-bit integers.
pub const VERITYSIGNATUREALGO: u32 = 277;
/// OPENPGP: strings.
pub const OPENPGP: u32 = 278;
/// SHA3_256HEADER: string.
pub const SHA3_256HEADER: u32 = 279;
/// NAME: string.
pub const NAME: u32 = 1000;
/// VERSION: string.
pub const VERSION: u32 = 1001;
/// RELEASE: string.
pub const RELEASE: u32 = 1002;
/// EPOCH: 32-bit integers.
pub const EPOCH: u32 = 1003;
/// SUMMARY: translated text.
pub const SUMMARY: u32 = 1004;
/// DESCRIPTION: translated text.
pub const DESCRIPTION: u32 = 1005;
/// BUILDTIME: 32-bit integers.
pub const BUILDTIME: u32 = 1006;
/// BUILDHOST: string.
pub const BUILDHOST: u32 = 1007;
/// INSTALLTIME: 32-bit integers.
pub const INSTALLTIME: u32 = 1008;
/// SIZE: 32-bit integers.
pub const SIZE: u32 = 1009;
/// DISTRIBUTION: string.
pub const DISTRIBUTION: u32 = 1010;
/// VENDOR: string.
pub const VENDOR: u32 = 1011;
/// GIF: bytes.
pub const GIF: u32 = 1012;
/// XPM: bytes.
pub const XPM: u32 = 1013;
/// LICENSE: string.
pub const LICENSE: u32 = 1014;
/// PACKAGER: string.
pub const PACKAGER: u32 = 1015;
/// GROUP: translated text.
pub const GROUP: u32 = 1016;
/// SOURCE: strings.
pub const SOURCE: u32 = 1018;
/// PATCH: strings.
pub const PATCH: u32 = 1019;
/// URL: string.
pub const URL: u32 = 1020;
/// OS: string.
pub const OS: u32 = 1021;
/// ARCH: string.
pub const ARCH: u32 = 1022;
/// PREIN: string.
pub const PREIN: u32 = 1023;
/// POSTIN: string.
pub const POSTIN: u32 = 1024;
/// PREUN: string.
pub const PREUN: u32 = 1025;
/// POSTUN: string.
pub const POSTUN: u32 = 1026;
/// OLDFILENAMES: strings.
pub const OLDFILENAMES: u32 = 1027;
/// FILESIZES: 32-bit integers.
pub const FILESIZES: u32 = 1028;
/// FILESTATES: bytes.
pub const FILESTATES: u32 = 1029;
/// FILEMODES: 16-bit integers.
pub const FILEMODES: u32 = 1030;
/// FILERDEVS: 16-bit integers.
pub const FILERDEVS: u32 = 1033;
/// FILEMTIMES: 32-bit integers.
pub const FILEMTIMES: u32 = 1034;
/// FILEDIGESTS: strings.
pub const FILEDIGESTS: u32 = 1035;
/// FILELINKTOS: strings.
pub const FILELINKTOS: u32 = 1036;
/// FILEFLAGS: 32-bit integers.
pub const FILEFLAGS: u32 = 1037;
/// FILEUSERNAME: strings.
pub const FILEUSERNAME: u32 = 1039;
/// FILEGROUPNAME: strings.
pub const FILEGROUPNAME: u32 = 1040;
/// ICON: bytes.
pub const ICON: u32 = 1043;
/// SOURCERPM: string.
pub const SOURCERPM: u32 = 1044;
/// FILEVERIFYFLAGS: 32-bit integers.
pub const FILEVERIFYFLAGS: u32 = 1045;
/// ARCHIVESIZE: 32-bit integers.
pub const ARCHIVESIZE: u32 = 1046;
/// PROVIDENAME: strings.
pub const PROVIDENAME: u32 = 1047;
/// REQUIREFLAGS: 32-bit integers.
pub const REQUIREFLAGS: u32 = 1048;
/// REQUIRENAME: strings.
pub const REQUIRENAME: u32 = 1049;
/// REQUIREVERSION: strings.
pub const REQUIREVERSION: u32 = 1050;
/// NOSOURCE: 32-bit integers.
pub const NOSOURCE: u32 = 1051;
/// NOPATCH: 32-bit integers.
pub const NOPATCH: u32 = 1052;
/// CONFLICTFLAGS: 32-bit integers.
pub const CONFLICTFLAGS: u32 = 1053;
/// CONFLICTNAME: strings.
pub const CONFLICTNAME: u32 = 1054;
/// CONFLICTVERSION: strings.
pub const CONFLICTVERSION: u32 = 1055;
/// EXCLUDEARCH: strings.
pub const EXCLUDEARCH: u32 = 1059;
/// EXCLUDEOS: strings.
pub const EXCLUDEOS: u32 = 1060;
/// EXCLUSIVEARCH: strings.
pub const EXCLUSIVEARCH: u32 = 1061;
/// EXCLUSIVEOS: strings.
pub const EXCLUSIVEOS: u32 = 1062;
/// RPMVERSION: string.
pub const RPMVERSION: u32 = 1064;
/// TRIGGERSCRIPTS: strings.
pub const TRIGGERSCRIPTS: u32 = 1065;
/// TRIGGERNAME: strings.
pub const TRIGGERNAME: u32 = 1066;
/// TRIGGERVERSION: strings.
pub const TRIGGERVERSION: u32 = 1067;
/// TRIGGERFLAGS: 32-bit integers.
pub const TRIGGERFLAGS: u32 = 1068;
/// TRIGGERINDEX: 32-bit integers.
pub const TRIGGERINDEX: u32 = 1069;
/// VERIFYSCRIPT: string.
pub const VERIFYSCRIPT: u32 = 1079;
/// CHANGELOGTIME: 32-bit integers.
pub const CHANGELOGTIME: u32 = 1080;
/// CHANGELOGNAME: strings.
pub const CHANGELOGNAME: u32 = 1081;
/// CHANGELOGTEXT: strings.
pub const CHANGELOGTEXT: u32 = 1082;
/// PREINPROG: strings.
pub const PREINPROG: u32 = 1085;
/// POSTINPROG: strings.
pub const POSTINPROG: u32 = 1086;
/// PREUNPROG: strings.
pub const PREUNPROG: u32 = 1087;
/// POSTUNPROG: strings.
pub const POSTUNPROG: u32 = 1088;
/// BUILDARCHS: strings.
pub const BUILDARCHS: u32 = 1089;
/// OBSOLETENAME: strings.
pub const OBSOLETENAME: u32 = 1090;
/// VERIFYSCRIPTPROG: strings.
pub const VERIFYSCRIPTPROG: u32 = 1091;
/// TRIGGERSCRIPTPROG: strings.
pub const TRIGGERSCRIPTPROG: u32 = 1092;
/// COOKIE: string.
pub const COOKIE: u32 = 1094;
/// FILEDEVICES: 32-bit integers.
pub const FILEDEVICES: u32 = 1095;
/// FILEINODES: 32-bit integers.
pub const FILEINODES: u32 = 1096;
/// FILELANGS: strings.
pub const FILELANGS: u32 = 1097;
/// PREFIXES: strings.
pub const PREFIXES: u32 = 1098;
/// INSTPREFIXES: strings.
pub const INSTPREFIXES: u32 = 1099;
/// SOURCEPACKAGE: 32-bit integers.
pub const SOURCEPACKAGE: u32 = 1106;
/// PROVIDEFLAGS: 32-bit integers.
pub const PROVIDEFLAGS: u32 = 1112;
/// PROVIDEVERSION: strings.
pub const PROVIDEVERSION: u32 = 1113;
/// OBSOLETEFLAGS: 32-bit integers.
pub const OBSOLETEFLAGS: u32 = 1114;
/// OBSOLETEVERSION: strings.
pub const OBSOLETEVERSION: u32 = 1115;
/// DIRINDEXES: 32-bit integers.
pub const DIRINDEXES: u32 = 1116;
/// BASENAMES: strings.
pub const BASENAMES: u32 = 1117;
/// DIRNAMES: strings.
pub const DIRNAMES: u32 = 1118;
/// ORIGDIRINDEXES: 32-bit integers.
pub const ORIGDIRINDEXES: u32 = 1119;
/// ORIGBASENAMES: strings.
pub const ORIGBASENAMES: u32 = 1120;
/// ORIGDIRNAMES: strings.
pub const ORIGDIRNAMES: u32 = 1121;
/// OPTFLAGS: string.
pub const OPTFLAGS: u32 = 1122;
/// DISTURL: string.
pub const DISTURL: u32 = 1123;
/// PAYLOADFORMAT: string.
pub const PAYLOADFORMAT: u32 = 1124;
/// PAYLOADCOMPRESSOR: string.
pub const PAYLOADCOMPRESSOR: u32 = 1125;
/// PAYLOADFLAGS: string.
pub const PAYLOADFLAGS: u32 = 1126;
/// INSTALLCOLOR: 32-bit integers.
pub const INSTALLCOLOR: u32 = 1127;
/// INSTALLTID: 32-bit integers.
pub const INSTALLTID: u32 = 1128;
/// REMOVETID: 32-bit integers.
pub const REMOVETID: u32 = 1129;
/// PLATFORM: string.
pub const PLATFORM: u32 = 1132;
/// PATCHESNAME: strings.
pub const PATCHESNAME: u32 = 1133;
/// PATCHESFLAGS: 32-bit integers.
pub const PATCHESFLAGS: u32 = 1134;
/// PATCHESVERSION: strings.
pub const PATCHESVERSION: u32 = 1135;
/// FILECOLORS: 32-bit integers.
pub const FILECOLORS: u32 = 1140;
/// FILECLASS: 32-bit integers.
pub const FILECLASS: u32 = 1141;
/// CLASSDICT: strings.
pub const CLASSDICT: u32 = 1142;
/// FILEDEPENDSX: 32-bit integers.
pub const FILEDEPENDSX: u32 = 1143;
/// FILEDEPENDSN: 32-bit integers.
pub const FILEDEPENDSN: u32 = 1144;
/// DEPENDSDICT: 32-bit integers.
pub const DEPENDSDICT: u32 = 1145;
/// SOURCEPKGID: bytes.
pub const SOURCEPKGID: u32 = 1146;
/// FILECONTEXTS: strings.
pub const FILECONTEXTS: u32 = 1147;
/// POLICIES: strings.
pub const POLICIES: u32 = 1150;
/// PRETRANS: string.
pub const PRETRANS: u32 = 1151;
/// POSTTRANS: string.
pub const POSTTRANS: u32 = 1152;
/// PRETRANSPROG: strings.
pub const PRETRANSPROG: u32 = 1153;
/// POSTTRANSPROG: strings.
pub const POSTTRANSPROG: u32 = 1154;
/// DISTTAG: string.
pub const DISTTAG: u32 = 1155;
/// LONGFILESIZES: 64-bit integers.
pub const LONGFILESIZES: u32 = 5008;
/// LONGSIZE: 64-bit integers.
pub const LONGSIZE: u32 = 5009;
/// FILECAPS: strings.
pub const FILECAPS: u32 = 5010;
/// FILEDIGESTALGO: 32-bit integers.
pub const FILEDIGESTALGO: u32 = 5011;
/// BUGURL: string.
pub const BUGURL: u32 = 5012;
/// PREINFLAGS: 32-bit integers.
pub const PREINFLAGS: u32 = 5020;
/// POSTINFLAGS: 32-bit integers.
pub const POSTINFLAGS: u32 = 5021;
/// PREUNFLAGS: 32-bit integers.
pub const PREUNFLAGS: u32 = 5022;
/// POSTUNFLAGS: 32-bit integers.
pub const POSTUNFLAGS: u32 = 5023;
/// PRETRANSFLAGS: 32-bit integers.
pub const PRETRANSFLAGS: u32 = 5024;
/// POSTTRANSFLAGS: 32-bit integers.
pub const POSTTRANSFLAGS: u32 = 5025;
/// VERIFYSCRIPTFLAGS: 32-bit integers.
pub const VERIFYSCRIPTFLAGS: u32 = 5026;
/// TRIGGERSCRIPTFLAGS: 32-bit integers.
pub const TRIGGERSCRIPTFLAGS: u32 = 5027;
/// POLICYNAMES: strings.
pub const POLICYNAMES: u32 = 5030;
/// POLICYTYPES: strings.
pub const POLICYTYPES: u32 = 5031;
/// POLICYTYPESINDEXES: 32-bit integers.
pub const POLICYTYPESINDEXES: u32 = 5032;
/// POLICYFLAGS: 32-bit integers.
pub const POLICYFLAGS: u32 = 5033;
/// VCS: string.
pub const VCS: u32 = 5034;
/// ORDERNAME: strings.
pub const ORDERNAME: u32 = 5035;
/// ORDERVERSION: strings.
pub const ORDERVERSION: u32 = 5036;
/// ORDERFLAGS: 32-bit integers.
pub const ORDERFLAGS: u32 = 5037;
/// RECOMMENDNAME: strings.
pub const RECOMMENDNAME: u32 = 5046;
/// RECOMMENDVERSION: strings.
pub const RECOMMENDVERSION: u32 = 5047;
/// RECOMMENDFLAGS: 32-bit integers.
pub const RECOMMENDFLAGS: u32 = 5048;
/// SUGGESTNAME: strings.
pub const SUGGESTNAME: u32 = 5049;
/// SUGGESTVERSION: strings.
pub const SUGGESTVERSION: u32 = 5050;
/// SUGGESTFLAGS: 32-bit integers.
pub const SUGGESTFLAGS: u32 = 5051;
/// SUPPLEMENTNAME: strings.
pub const SUPPLEMENTNAME: u32 = 5052;
/// SUPPLEMENTVERSION: strings.
pub const SUPPLEMENTVERSION: u32 = 5053;
/// SUPPLEMENTFLAGS: 32-bit integers.
pub const SUPPLEMENTFLAGS: u32 = 5054;
/// ENHANCENAME: strings.
pub const ENHANCENAME: u32 = 5055;
/// ENHANCEVERSION: strings.
pub const ENHANCEVERSION: u32 = 5056;
/// ENHANCEFLAGS: 32-bit integers.
pub const ENHANCEFLAGS: u32 = 5057;
/// ENCODING: string.
pub const ENCODING: u32 = 5062;
/// FILETRIGGERSCRIPTS: strings.
pub const FILETRIGGERSCRIPTS: u32 = 5066;
/// FILETRIGGERSCRIPTPROG: strings.
pub const FILETRIGGERSCRIPTPROG: u32 = 5067;
/// FILETRIGGERSCRIPTFLAGS: 32-bit integers.
pub const FILETRIGGERSCRIPTFLAGS: u32 = 5068;
/// FILETRIGGERNAME: strings.
pub const FILETRIGGERNAME: u32 = 5069;
/// FILETRIGGERINDEX: 32-bit integers.
pub const FILETRIGGERINDEX: u32 = 5070;
/// FILETRIGGERVERSION: strings.
pub const FILETRIGGERVERSION: u32 = 5071;
/// FILETRIGGERFLAGS: 32-bit integers.
pub const FILETRIGGERFLAGS: u32 = 5072;
/// TRANSFILETRIGGERSCRIPTS: strings.
pub const TRANSFILETRIGGERSCRIPTS: u32 = 5076;
/// TRANSFILETRIGGERSCRIPTPROG: strings.
pub const TRANSFILETRIGGERSCRIPTPROG: u32 = 5077;
/// TRANSFILETRIGGERSCRIPTFLAGS: 32-bit integers.
pub const TRANSFILETRIGGERSCRIPTFLAGS: u32 = 5078;
/// TRANSFILETRIGGERNAME: strings.
pub const TRANSFILETRIGGERNAME: u32 = 5079;
/// TRANSFILETRIGGERINDEX: 32-bit integers.
pub const TRANSFILETRIGGERINDEX: u32 = 5080;
/// TRANSFILETRIGGERVERSION: strings.
pub const TRANSFILETRIGGERVERSION: u32 = 5081;
/// TRANSFILETRIGGERFLAGS: 32-bit integers.
pub const TRANSFILETRIGGERFLAGS: u32 = 5082;
/// FILETRIGGERPRIORITIES: 32-bit integers.
pub const FILETRIGGERPRIORITIES: u32 = 5084;
/// TRANSFILETRIGGERPRIORITIES: 32-bit integers.
pub const TRANSFILETRIGGERPRIORITIES: u32 = 5085;
/// FILESIGNATURES: strings.
pub const FILESIGNATURES: u32 = 5090;
/// FILESIGNATURELENGTH: 32-bit integers.
pub const FILESIGNATURELENGTH: u32 = 5091;
/// PAYLOADSHA256: strings.
pub const PAYLOADSHA256: u32 = 5092;
/// PAYLOADSHA256ALGO: 32-bit integers.
pub const PAYLOADSHA256ALGO: u32 = 5093;
/// MODULARITYLABEL: string.
pub const MODULARITYLABEL: u32 = 5096;
/// PAYLOADSHA256ALT: strings.
pub const PAYLOADSHA256ALT: u32 = 5097;
/// SPEC: string.
pub const SPEC: u32 = 5099;
/// TRANSLATIONURL: string.
pub const TRANSLATIONURL: u32 = 5100;
/// UPSTREAMRELEASES: string.
pub const UPSTREAMRELEASES: u32 = 5101;
/// PREUNTRANS: string.
pub const PREUNTRANS: u32 = 5103;
/// POSTUNTRANS: string.
pub const POSTUNTRANS: u32 = 5104;
/// PREUNTRANSPROG: strings.
pub const PREUNTRANSPROG: u32 = 5105;
/// POSTUNTRANSPROG: strings.
pub const POSTUNTRANSPROG: u32 = 5106;
/// PREUNTRANSFLAGS: 32-bit integers.
pub const PREUNTRANSFLAGS: u32 = 5107;
/// POSTUNTRANSFLAGS: 32-bit integers.
pub const POSTUNTRANSFLAGS: u32 = 5108;
/// SYSUSERS: strings.
pub const SYSUSERS: u32 = 5109;
/// PAYLOADSIZE: 64-bit integers.
pub const PAYLOADSIZE: u32 = 5112;
/// PAYLOADSIZEALT: 64-bit integers.
pub const PAYLOADSIZEALT: u32 = 5113;
/// RPMFORMAT: 32-bit integers.
pub const RPMFORMAT: u32 = 5114;
/// FILEMIMEINDEX: 32-bit integers.
pub const FILEMIMEINDEX: u32 = 5115;
/// MIMEDICT: strings.
pub const MIMEDICT: u32 = 5116;
/// FILEMIMES: strings.
pub const FILEMIMES: u32 = 5117;
/// PACKAGEDIGESTS: strings.
pub const PACKAGEDIGESTS: u32 = 5118;
/// PACKAGEDIGESTALGOS: 32-bit integers.
pub const PACKAGEDIGESTALGOS: u32 = 5119;
/// SOURCENEVR: string.
pub const SOURCENEVR: u32 = 5120;
/// PAYLOADSHA512: string.
pub const PAYLOADSHA512: u32 = 5121;
/// PAYLOADSHA512ALT: string.
pub const PAYLOADSHA512ALT: u32 = 5122;
/// PAYLOADSHA3_256: string.
pub const PAYLOADSHA3_256: u32 = 5123;
/// PAYLOADSHA3_256ALT: string.
pub const PAYLOADSHA3_256ALT: u32 = 5124;

/// The type that rpm 4.18 demands of a known tag in a main header or database record.
pub fn known_type(tag: u32) -> Option<TagType> {
    Some(match tag {
        HEADERI18NTABLE
        | PUBKEYS
        | VERITYSIGNATURES
        | OPENPGP
        | SOURCE
        | PATCH
        | OLDFILENAMES
        | FILEDIGESTS
        | FILELINKTOS
        | FILEUSERNAME
        | FILEGROUPNAME
        | PROVIDENAME
        | REQUIRENAME
        | REQUIREVERSION
        | CONFLICTNAME
        | CONFLICTVERSION
        | EXCLUDEARCH
        | EXCLUDEOS
        | EXCLUSIVEARCH
        | EXCLUSIVEOS
        | TRIGGERSCRIPTS
        | TRIGGERNAME
        | TRIGGERVERSION
        | CHANGELOGNAME
        | CHANGELOGTEXT
        | PREINPROG
        | POSTINPROG
        | PREUNPROG
        | POSTUNPROG
        | BUILDARCHS
        | OBSOLETENAME
        | VERIFYSCRIPTPROG
        | TRIGGERSCRIPTPROG
        | FILELANGS
        | PREFIXES
        | INSTPREFIXES
        | PROVIDEVERSION
        | OBSOLETEVERSION
        | BASENAMES
        | DIRNAMES
        | ORIGBASENAMES
        | ORIGDIRNAMES
        | PATCHESNAME
        | PATCHESVERSION
        | CLASSDICT
        | FILECONTEXTS
        | POLICIES
        | PRETRANSPROG
        | POSTTRANSPROG
        | FILECAPS
        | POLICYNAMES
        | POLICYTYPES
        | ORDERNAME
        | ORDERVERSION
        | RECOMMENDNAME
        | RECOMMENDVERSION
        | SUGGESTNAME
        | SUGGESTVERSION
        | SUPPLEMENTNAME
        | SUPPLEMENTVERSION
        | ENHANCENAME
        | ENHANCEVERSION
        | FILETRIGGERSCRIPTS
        | FILETRIGGERSCRIPTPROG
        | FILETRIGGERNAME
        | FILETRIGGERVERSION
        | TRANSFILETRIGGERSCRIPTS
        | TRANSFILETRIGGERSCRIPTPROG
        | TRANSFILETRIGGERNAME
        | TRANSFILETRIGGERVERSION
        | FILESIGNATURES
        | PAYLOADSHA256
        | PAYLOADSHA256ALT
        | PREUNTRANSPROG
        | POSTUNTRANSPROG
        | SYSUSERS
        | MIMEDICT
        | FILEMIMES
        | PACKAGEDIGESTS => TagType::StringArray,
        SIGSIZE
        | VERITYSIGNATUREALGO
        | EPOCH
        | BUILDTIME
        | INSTALLTIME
        | SIZE
        | FILESIZES
        | FILEMTIMES
        | FILEFLAGS
        | FILEVERIFYFLAGS
        | ARCHIVESIZE
        | REQUIREFLAGS
        | NOSOURCE
        | NOPATCH
        | CONFLICTFLAGS
        | TRIGGERFLAGS
        | TRIGGERINDEX
        | CHANGELOGTIME
        | FILEDEVICES
        | FILEINODES
        | SOURCEPACKAGE
        | PROVIDEFLAGS
        | OBSOLETEFLAGS
        | DIRINDEXES
        | ORIGDIRINDEXES
        | INSTALLCOLOR
        | INSTALLTID
        | REMOVETID
        | PATCHESFLAGS
        | FILECOLORS
        | FILECLASS
        | FILEDEPENDSX
        | FILEDEPENDSN
        | DEPENDSDICT
        | FILEDIGESTALGO
        | PREINFLAGS
        | POSTINFLAGS
        | PREUNFLAGS
        | POSTUNFLAGS
        | PRETRANSFLAGS
        | POSTTRANSFLAGS
        | VERIFYSCRIPTFLAGS
        | TRIGGERSCRIPTFLAGS
        | POLICYTYPESINDEXES
        | POLICYFLAGS
        | ORDERFLAGS
        | RECOMMENDFLAGS
        | SUGGESTFLAGS
        | SUPPLEMENTFLAGS
        | ENHANCEFLAGS
        | FILETRIGGERSCRIPTFLAGS
        | FILETRIGGERINDEX
        | FILETRIGGERFLAGS
        | TRANSFILETRIGGERSCRIPTFLAGS
        | TRANSFILETRIGGERINDEX
        | TRANSFILETRIGGERFLAGS
        | FILETRIGGERPRIORITIES
        | TRANSFILETRIGGERPRIORITIES
        | FILESIGNATURELENGTH
        | PAYLOADSHA256ALGO
        | PREUNTRANSFLAGS
        | POSTUNTRANSFLAGS
        | RPMFORMAT
        | FILEMIMEINDEX
        | PACKAGEDIGESTALGOS => TagType::Int32,
        SIGPGP | SIGMD5 | SIGGPG | DSAHEADER | RSAHEADER | GIF | XPM | ICON | SOURCEPKGID => {
            TagType::Bin
        }
        SHA1HEADER | SHA256HEADER | SHA3_256HEADER | NAME | VERSION | RELEASE | BUILDHOST
        | DISTRIBUTION | VENDOR | LICENSE | PACKAGER | URL | OS | ARCH | PREIN | POSTIN | PREUN
        | POSTUN | SOURCERPM | RPMVERSION | VERIFYSCRIPT | COOKIE | OPTFLAGS | DISTURL
        | PAYLOADFORMAT | PAYLOADCOMPRESSOR | PAYLOADFLAGS | PLATFORM | PRETRANS | POSTTRANS
        | DISTTAG | BUGURL | VCS | ENCODING | MODULARITYLABEL | SPEC | TRANSLATIONURL
        | UPSTREAMRELEASES | PREUNTRANS | POSTUNTRANS | SOURCENEVR | PAYLOADSHA512
        | PAYLOADSHA512ALT | PAYLOADSHA3_256 | PAYLOADSHA3_256ALT => TagType::String,
        LONGSIGSIZE | LONGARCHIVESIZE | LONGFILESIZES | LONGSIZE | PAYLOADSIZE | PAYLOADSIZEALT => {
            TagType::Int64
        }
        SUMMARY | DESCRIPTION | GROUP => TagType::I18nString,
        FILESTATES => TagType::Char,
        FILEMODES | FILERDEVS => TagType::Int16,
        _ => return None,
    })
}
