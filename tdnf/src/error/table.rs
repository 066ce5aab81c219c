//! Every error number of tdnf with its text: the words that scripts match.
//!
//! Numbers and texts are those of tdnf 3.6, 918 that of the versions after it; 1526 and 1801 have words of their own here. `None` means that the number has no text of its own:
//! 1600 + n reads as the system's text for errno n, anything else as `Unknown error`.

use super::Code;

/// The rows, one a line: number, name, text.
macro_rules! table {
    ($($number:literal $name:ident $($text:literal)?;)*) => {
        impl Code {
            $(#[doc = concat!("Number ", stringify!($number), " of the table.")]
            pub const $name: Self = Self($number);)*
        }

        /// (number, name, text), ordered by number.
        pub(super) const TABLE: &[(u32, &str, Option<&str>)] =
            &[$(($number, stringify!($name), table!(@text $($text)?)),)*];
    };
    (@text) => { None };
    (@text $text:literal) => { Some($text) };
}

table! {
    100 CLI_CHECK_UPDATES_AVAILABLE;
    900 CLI_BASE "Generic base error.";
    901 CLI_NO_MATCH "There was no match for the search.";
    902 CLI_INVALID_ARGUMENT "Invalid argument.";
    903 CLI_CLEAN_REQUIRES_OPTION "Clean requires an option: packages, metadata, dbcache, plugins, expire-cache, all";
    904 CLI_NOT_ENOUGH_ARGS "The command line parser could not continue. Expected at least one argument.";
    905 CLI_NOTHING_TO_DO "Nothing to do.";
    906 CLI_CHECKLOCAL_EXPECT_DIR "check-local requires path to rpm directory as a parameter";
    907 CLI_PROVIDES_EXPECT_ARG "Need an item to match.";
    908 CLI_OPTION_NAME_INVALID "Command line error: option is invalid.";
    909 CLI_OPTION_ARG_REQUIRED "Command line error: expected one argument.";
    910 CLI_OPTION_ARG_UNEXPECTED "Command line error: argument was unexpected.";
    911 CLI_SETOPT_NO_EQUALS "Missing equal sign in setopt argument. setopt requires an argument of the form key=value.";
    912 CLI_NO_SUCH_CMD "Please check your command";
    913 CLI_DOWNLOADDIR_REQUIRES_DOWNLOADONLY "--downloaddir requires --downloadonly";
    914 CLI_ONE_DEP_ONLY "only one dependency allowed";
    915 CLI_ALLDEPS_REQUIRES_DOWNLOADONLY "--alldeps requires --downloadonly";
    916 CLI_NODEPS_REQUIRES_DOWNLOADONLY "--nodeps requires --downloadonly";
    917 CLI_INVALID_MIXED_QUERY_QUERYFORMAT "--qf requires only querytags. Invalid Mixed Query";
    918 CLI_QUIET_NEEDS_ANSWER "--assumeyes|-y or --assumeno is required when quiet is set";
    1000 BASE "Generic base error";
    1001 PACKAGE_REQUIRED "Package name expected but was not provided";
    1002 CONF_FILE_LOAD "Error loading tdnf conf (/etc/tdnf/tdnf.conf)";
    1003 REPO_FILE_LOAD "Error loading tdnf repo (normally under /etc/yum.repos.d/)";
    1004 INVALID_REPO_FILE "Encountered an invalid repo file";
    1005 REPO_DIR_OPEN "Error opening repo dir. Check if the repodir configured in tdnf.conf exists (usually /etc/yum.repos.d)";
    1006 REPO_PERFORM "Error during repo handle execution";
    1007 REPO_GETINFO "Repo during repo result getinfo";
    1008 NO_REPOS;
    1009 REPO_NOT_FOUND;
    1010 INVALID_CONF;
    1011 NO_MATCH "No matching packages";
    1012 NO_ENABLED_REPOS "There are no enabled repos.  Run tdnf repolist all to see the repos you have.  You can enable repos by  1. by passing in --enablerepo <reponame>  2. editing repo files in your repodir(usually /etc/yum.repos.d)";
    1013 PACKAGELIST_EMPTY "Packagelist was empty";
    1014 GOAL_CREATE "Error creating goal";
    1015 INVALID_RESOLVE_ARG "Invalid argument in resolve";
    1016 CLEAN_UNSUPPORTED "Clean type specified is not supported in this release. Please try clean all.";
    1017 NO_DOWNGRADES;
    1018 AUTOERASE_UNSUPPORTED "autoerase / autoremove is not supported.";
    1020 SET_PROXY "There was an error setting the proxy server.";
    1021 SET_PROXY_USERPASS "There was an error setting the proxy server user and pass";
    1022 NO_DISTROVERPKG "distroverpkg config entry is set to a package that is not installed. Check /etc/tdnf/tdnf.conf";
    1023 DISTROVERPKG_READ "There was an error reading version of distroverpkg";
    1024 INVALID_ALLOCSIZE "A memory allocation was requested with an invalid size";
    1025 STRING_TOO_LONG "Requested string allocation size was too long.";
    1026 ALREADY_INSTALLED;
    1027 NO_UPGRADE_PATH;
    1028 NO_DOWNGRADE_PATH;
    1029 METADATA_EXPIRE_PARSE "metadata_expire value could not be parsed. Check your repo files.";
    1030 PROTECTED "The operation would result in removing a protected package.";
    1030 SELF_ERASE;
    1031 ERASE_NEEDS_INSTALL;
    1032 OPERATION_ABORTED "Operation aborted.";
    1033 INVALID_INPUT "Invalid input.";
    1034 CACHE_DISABLED "cache only is set, but no repo data found";
    1035 DOWNGRADE_NOT_ALLOWED "a downgrade is not allowed below the minimal version. Check 'minversions' in the configuration.";
    1036 CACHE_DIR_OUT_OF_DISK_SPACE "Insufficient disk space at cache directory /var/cache/tdnf (unless specified differently in config). Try freeing space first.";
    1037 DUPLICATE_REPO_ID "Duplicate repo id";
    1200 CURL_INIT;
    1201 CURL_BASE;
    1202 CURLE_UNSUPPORTED_PROTOCOL "Curl doesn't Support this protocol";
    1203 CURLE_FAILED_INIT "Curl Init Failed";
    1204 CURLE_URL_MALFORMAT "URL seems to be corrupted. Please clean all and makecache";
    1299 CURL_END;
    1300 SOLV_BASE "Solv base error";
    1301 SOLV_FAILED "Solv general runtime error";
    1302 SOLV_OP "Solv client programming error";
    1303 SOLV_LIBSOLV "Solv error propagted from libsolv";
    1304 SOLV_IO "Solv - I/O error";
    1305 SOLV_CACHE_WRITE "Solv - cache write error";
    1306 SOLV_QUERY "Solv - ill formed query";
    1307 SOLV_ARCH "Solv - unknown arch";
    1308 SOLV_VALIDATION "Solv - validation check failed";
    1309 SOLV_SELECTOR;
    1310 SOLV_NO_SOLUTION "Solv - goal found no solutions";
    1311 SOLV_NO_CAPABILITY "Solv - the capability was not available";
    1312 SOLV_CHKSUM "Solv - Checksum creation failed";
    1313 REPO_WRITE "Solv - Failed to write repo";
    1314 SOLV_CACHE_NOT_CREATED "Solv - Solv cache not found";
    1315 ADD_SOLV "Solv - Failed to add solv";
    1400 REPO_BASE "Repo error base";
    1401 SET_SSL_SETTINGS "There was an error while setting SSL settings for the repo.";
    1470 RPM_BASE;
    1471 RPMRC_NOTFOUND "rpm generic error - not found (possible corrupt rpm file)";
    1472 RPMRC_FAIL "rpm generic failure";
    1473 RPMRC_NOTTRUSTED "rpm signature is OK, but key is not trusted";
    1474 RPMRC_NOKEY "public key is unavailable. install public key using rpm --import or use --nogpgcheck to ignore.";
    1501 RPMTS_CREATE_FAILED;
    1502 RPMTS_BAD_ROOT_DIR "Bad root directory";
    1503 RPMTS_SET_CB_FAILED;
    1504 RPMTS_KEYRING_FAILED;
    1505 INVALID_PUBKEY_FILE "public key file is invalid or corrupted";
    1506 CREATE_PUBKEY_FAILED;
    1507 KEYURL_INVALID "GpgKey Url is invalid";
    1508 KEYURL_UNSUPPORTED "GpgKey Url schemes other than file are not supported";
    1509 RPM_HEADER_CONVERT_FAILED;
    1510 RPM_NOT_SIGNED "RPM not signed. Use --nogpgcheck to ignore.";
    1511 RPMTD_CREATE_FAILED "RPM data container could not be created. Use --nogpgcheck to ignore.";
    1512 RPM_GET_RSAHEADER_FAILED "RPM not signed. Use --skipsignature or --nogpgcheck to ignore.";
    1513 RPM_GPG_PARSE_FAILED "RPM failed to parse gpg key. Use --nogpgcheck to ignore.";
    1514 RPM_GPG_NO_MATCH "RPM is signed but failed to match with known keys. Use --nogpgcheck to ignore.";
    1515 RPM_CHECK "rpm check reported errors";
    1516 SETOPT_NO_EQUALS;
    1517 PLUGINS_DISABLED;
    1518 NO_PLUGIN_CONF_DIR;
    1519 PLUGIN_LOAD_ERROR;
    1520 OPT_NOT_FOUND "A required option was not found";
    1521 PLUGIN_NO_MORE_EVENTS;
    1522 NO_PLUGIN_ERROR;
    1523 NO_GPGKEY_CONF_ENTRY "gpgkey entry is missing for this repo. please add gpgkey in repo file or use --nogpgcheck to ignore.";
    1524 URL_INVALID "URL is invalid.";
    1525 TRANSACTION_FAILED "rpm transaction failed";
    1526 RPMTS_OPENDB_FAILED "The rpm database cannot be opened";
    1527 SIZE_MISMATCH "File size does not match.";
    1528 CHECKSUM_MISMATCH "File checksum does not match.";
    1529 RPMTS_FDDUP_FAILED;
    1530 INSTALLONLY_LIMIT_EXCEEDED;
    1551 EVENT_CTXT_ITEM_NOT_FOUND "An event context item was not found. This is usually related to plugin events. Try --noplugins to deactivate all plugins or --disableplugin=<plugin> to deactivate a specific one. You can permanently deactivate an offending plugin by setting enable=0 in the plugin config file.";
    1552 EVENT_CTXT_ITEM_INVALID_TYPE "An event item type had a mismatch. This is usually related to plugin events. Try --noplugins to deactivate all plugins or --disableplugin=<plugin> to deactivate a specific one. You can permanently deactivate an offending plugin by setting enable=0 in the plugin config file.";
    1599 NO_SEARCH_RESULTS "No matches found";
    1600 SYSTEM_BASE "unknown system error";
    1601 PERM "Operation not permitted. You have to be root.";
    1602 FILE_NOT_FOUND;
    1604 CALL_INTERRUPTED;
    1605 FILESYS_IO;
    1612 OUT_OF_MEMORY;
    1613 ACCESS_DENIED;
    1614 INVALID_ADDRESS;
    1617 ALREADY_EXISTS;
    1620 INVALID_DIR;
    1622 INVALID_PARAMETER;
    1636 NAME_TOO_LONG;
    1638 CALL_NOT_SUPPORTED;
    1640 SYM_LOOP;
    1661 NO_DATA;
    1675 OVERFLOW;
    1700 JSONDUMP;
    1801 HISTORY_ERROR "History database error";
    1802 HISTORY_NODB "History database error";
    2000 GPG_BASE_START;
    2000 PLUGIN_BASE;
    2001 GPG_ERROR "unknown error";
    2002 GPG_VERSION_FAILED "version failed";
    2003 GPG_VERIFY_RESULT "failed to verify result";
    2004 GPG_SIGNATURE_CHECK "failed to verify signature";
    2400 GPGME_START;
    2500 BASEURL_DOES_NOT_EXISTS "Base URL and Metalink URL not found in the repo file";
    2501 CHECKSUM_VALIDATION_FAILED "Checksum Validation failed for the repomd.xml downloaded using URL from metalink";
    2502 METALINK_RESOURCE_VALIDATION_FAILED "No Resource present in metalink file for file download";
    2600 FIPS_MODE_FORBIDDEN "API call to digest API forbidden in FIPS mode!";
    2700 METALINK_START;
    2701 METALINK_PARSER_INVALID_DOC_OBJECT "Failed to parse and create document tree";
    2702 METALINK_PARSER_INVALID_ROOT_ELEMENT "Root element not found";
    2703 METALINK_PARSER_MISSING_FILE_ATTR "Missing filename in metalink file";
    2704 METALINK_PARSER_INVALID_FILE_NAME "Invalid filename present";
    2705 METALINK_PARSER_MISSING_FILE_SIZE "Missing file size in metalink file";
    2706 METALINK_PARSER_MISSING_HASH_ATTR "Missing attribute in hash tag";
    2707 METALINK_PARSER_MISSING_HASH_CONTENT "Missing content in hash tag value";
    2708 METALINK_PARSER_MISSING_URL_ATTR "Missing attribute in url tag";
    2709 METALINK_PARSER_MISSING_URL_CONTENT;
    2710 METALINK_END;
}
