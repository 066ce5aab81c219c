//! What an RPM repository is: .repo files, repomd.xml and the records it lists.
