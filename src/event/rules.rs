//! What the rules of agent.yaml say about events, compiled: the one thing that passes between configuration and events.
//!
//! Knows nothing of YAML. The defaults are those of a site that configures nothing.

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::Regex;

use super::globs::Globs;

/// All rules of one log.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Whose address counts.
    pub client: ClientRules,
    /// Who is one visitor.
    pub visitor: VisitorRules,
    /// Which day a time belongs to.
    pub day: DayZone,
    /// What is one page.
    pub page: PageRules,
    /// What is a page view.
    pub views: ViewRules,
    /// What is left out of events.
    pub privacy: PrivacyRules,
    /// Which lines become events.
    pub emit: Emit,
    /// Further variables of the format, without `$`, that become `x_<name>`.
    pub extra: Vec<String>,
}

/// Whose address counts.
#[derive(Clone, Debug)]
pub struct ClientRules {
    /// nginx's name of the variable with the forwarded addresses, as `http_x_forwarded_for`.
    pub header: Option<String>,
    /// The networks whose word about it is believed.
    pub trusted: Vec<IpNet>,
    /// How many bits of an IPv6 address count; 128 is all.
    pub ipv6_prefix: u8,
}

/// Who is one visitor.
#[derive(Clone, Default)]
pub struct VisitorRules {
    /// nginx's name of the variable with a first-party cookie, as `cookie_vid`.
    pub cookie: Option<String>,
    /// The key of all hashes, shared by the hosts of a site.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for VisitorRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VisitorRules").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// Which day a time belongs to.
#[derive(Clone, Debug, Default)]
pub enum DayZone {
    /// The zone that the line itself names; UTC where it names none.
    #[default]
    Line,
    /// A zone of the IANA database.
    Zone(TimeZone),
}

/// What is one page.
#[derive(Clone, Debug)]
pub struct PageRules {
    /// Parameters of the query that stay in the key.
    pub query: Vec<String>,
    /// Names of documents that are their directory.
    pub index: Vec<String>,
    /// What becomes of a slash at the end.
    pub trailing_slash: TrailingSlash,
    /// The first that matches the path (with the query that stays) makes the key.
    pub articles: Vec<ArticleRule>,
}

/// What becomes of a slash at the end of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// It goes, but for the root's.
    #[default]
    Strip,
    /// It stays as it was asked for.
    Keep,
}

/// A pattern, and the key of what matches it.
#[derive(Clone, Debug)]
pub struct ArticleRule {
    /// Where it matches.
    pub pattern: Regex,
    /// The key; `{name}` stands for a capture of the pattern.
    pub page: String,
}

/// What is a page view.
#[derive(Clone, Debug)]
pub struct ViewRules {
    /// Request methods that count.
    pub methods: Vec<String>,
    /// Status codes that count.
    pub statuses: Vec<u16>,
    /// Paths that do not count.
    pub excluded_paths: Globs,
    /// Hosts that do not count.
    pub excluded_hosts: Globs,
    /// Client addresses that do not count.
    pub excluded_addresses: Vec<IpNet>,
    /// Extensions of files that are no pages, lower-case, without the dot.
    pub static_extensions: Vec<String>,
    /// Whole paths that are no pages, as globs.
    pub static_paths: Globs,
    /// Whether feeds are excluded.
    pub feeds: Feeds,
    /// Which user agents are bots.
    pub bots: BotRules,
}

/// Whether feeds count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feeds {
    /// They are excluded as `feed`.
    #[default]
    Exclude,
    /// They are pages.
    Count,
}

/// Which user agents are bots.
#[derive(Clone, Debug, Default)]
pub struct BotRules {
    /// Patterns beside the data set's; the pattern is the bot's name.
    pub add: Vec<String>,
    /// Patterns of the data set that are none here, as they are written there.
    pub remove: Vec<String>,
    /// What an empty user agent, or `-`, is.
    pub empty_user_agent: EmptyUserAgent,
}

/// What an empty user agent is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyUserAgent {
    /// A bot.
    #[default]
    Bot,
    /// A visitor.
    Visitor,
}

/// What is left out of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrivacyRules {
    /// How much of the client's address.
    pub client_address: AddressPrivacy,
    /// The query of the request.
    pub query: Keep,
    /// The query of the referrer.
    pub referrer_query: Keep,
    /// The user agent.
    pub user_agent: KeepUserAgent,
    /// Which events carry their line.
    pub raw: Raw,
}

/// How much of the client's address is in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressPrivacy {
    /// All of it.
    Raw,
    /// Its network: /24 or /48.
    #[default]
    Truncate,
    /// Nothing.
    Drop,
}

/// Whether something is kept that is dropped by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It is left out.
    #[default]
    Drop,
    /// It is kept.
    Keep,
}

/// Whether the user agent is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepUserAgent {
    /// It is left out.
    Drop,
    /// It is kept.
    #[default]
    Keep,
}

/// Which events carry their line in `raw`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Raw {
    /// Those that could not be parsed.
    #[default]
    Malformed,
    /// All.
    Always,
    /// None.
    Never,
}

/// Which lines become events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// All.
    #[default]
    All,
    /// Page views alone; the next event's `skipped_size` covers the others.
    PageViews,
}

impl Default for ClientRules {
    fn default() -> Self {
        Self { header: None, trusted: Vec::new(), ipv6_prefix: 128 }
    }
}

impl Default for PageRules {
    fn default() -> Self {
        Self {
            query: Vec::new(),
            index: ["index.html", "index.htm", "index.php"].map(str::to_owned).to_vec(),
            trailing_slash: TrailingSlash::default(),
            articles: Vec::new(),
        }
    }
}

/// Extensions of files that are no pages: what pages are made of, and what is downloaded from them.
pub const STATIC_EXTENSIONS: &[&str] = &[
    "css",
    "js",
    "mjs",
    "map",
    "json",
    "wasm",
    "gif",
    "jpg",
    "jpeg",
    "png",
    "webp",
    "avif",
    "svg",
    "svgz",
    "bmp",
    "ico",
    "cur",
    "tif",
    "tiff",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp3",
    "mp4",
    "m4a",
    "m4v",
    "ogg",
    "oga",
    "ogv",
    "opus",
    "wav",
    "flac",
    "webm",
    "avi",
    "mov",
    "mpg",
    "mpeg",
    "flv",
    "swf",
    "pdf",
    "csv",
    "txt",
    "doc",
    "docx",
    "xls",
    "xlsx",
    "ppt",
    "pptx",
    "epub",
    "zip",
    "gz",
    "tgz",
    "bz2",
    "xz",
    "zst",
    "rar",
    "7z",
    "tar",
    "iso",
    "dmg",
    "exe",
    "msi",
    "deb",
    "rpm",
    "apk",
    "class",
    "jar",
    "webmanifest",
    "m3u8",
    "ts",
];

/// Whole paths that are no pages.
pub const STATIC_PATHS: &[&str] =
    &["/robots.txt", "/favicon.ico", "/sitemap*.xml", "/sitemap*.xml.gz", "/.well-known/**"];

impl Default for ViewRules {
    fn default() -> Self {
        Self {
            methods: vec!["GET".to_owned()],
            statuses: vec![200, 304],
            excluded_paths: Globs::default(),
            excluded_hosts: Globs::default(),
            excluded_addresses: Vec::new(),
            static_extensions: STATIC_EXTENSIONS.iter().map(|&extension| extension.to_owned()).collect(),
            static_paths: Globs::new(STATIC_PATHS).expect("these globs are compiled by a test"),
            feeds: Feeds::default(),
            bots: BotRules::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ViewRules;

    #[test]
    fn the_default_paths_are_globs() {
        let rules = ViewRules::default();
        for (path, is_static) in [
            ("/robots.txt", true),
            ("/sitemap-posts.xml", true),
            ("/.well-known/a/b", true),
            ("/sitemap/x.xml", false),
            ("/posts/robots.txt", false),
        ] {
            assert_eq!(rules.static_paths.is_match(path.as_bytes()), is_static, "{path}");
        }
    }
}
