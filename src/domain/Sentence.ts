/** Characters of a document's prose, each with the line (from 1) of the file on which it stands. */
export interface ProseText {
  readonly text: string
  readonly lines: ReadonlyArray<number>
}

/** A stretch of prose with its lines, both ends included. */
export interface Sentence {
  readonly text: string
  readonly startLine: number
  readonly endLine: number
}

/** A longer sentence, in characters, is told nowhere; nor is one sought whose brackets stay open for longer. */
const LONGEST = 420

/** Nobody writes longer paragraphs; of one that a machine wrote only the beginning is read, for the segmenter's time grows with the square. */
const LONGEST_PROSE = 20_000

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" })

const ABBREVIATION = /(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|incl|resp|fig|no|ver|v)\.|\.\.\.|…)$/i

// Full stops inside code, brackets of file names and versions end no sentence: they are hidden from the segmenter, not from the reader.
const masked = (text: string): string =>
  text
    .replace(/`[^`]*`/g, (span) => "X".repeat(span.length))
    .replace(/\b(?:Node|Next|Vue|Nuxt|Express|D3|Three|Socket)\.(?:js|io)\b/gi, (name) => name.replace(".", "_"))
    .replace(/[\w/]\.(?=[\w/])/g, (stop) => stop.replace(".", "_"))
    .replace(/\n/g, " ")

const balanced = (text: string): boolean => {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  return count(/\(/g) <= count(/\)/g)
}

/** Sentences of the first 20,000 characters of a stretch of prose. White space is collapsed; the line range is that of the sentence's own characters. */
export const sentences = (prose: ProseText): ReadonlyArray<Sentence> => {
  const ranges: Array<{ start: number; end: number }> = []
  for (const { segment, index } of segmenter.segment(masked(prose.text.slice(0, LONGEST_PROSE)))) {
    const last = ranges.at(-1)
    const before =
      last === undefined ? "" : prose.text.slice(last.start, Math.min(last.end, last.start + 2 * LONGEST)).trimEnd()
    const isOpen = before.length <= LONGEST && (ABBREVIATION.test(before) || !balanced(before))
    if (last !== undefined && isOpen) last.end = index + segment.length
    else ranges.push({ start: index, end: index + segment.length })
  }
  return ranges.flatMap(({ start, end }) => {
    const raw = prose.text.slice(start, end)
    const text = raw.replace(/\s+/g, " ").trim()
    if (text === "") return []
    const first = start + (raw.length - raw.trimStart().length)
    const final = start + raw.trimEnd().length - 1
    const startLine = prose.lines[first] ?? 1
    return [{ text, startLine, endLine: Math.max(startLine, prose.lines[final] ?? startLine) }]
  })
}

/** Sections that say nothing about what the product does. */
export const IDLE_HEADING =
  /^(?:table of contents?|contents?|toc|index|licen[cs]e(?: .*)?|licen[cs]ing|copyright|contribut\w*(?: .*)?|(?:our )?(?:sponsors?|backers?|contributors?|supporters?|partners?)(?: .*)?|acknowledge?ments?|credits?|thanks.*|special thanks|authors?|maintainers?|collaborators?|team|donat\w*|funding|sponsorship|changelog|change log|history|release notes?|releases|news|what['’]s new.*|migrat\w*.*|upgrad\w*.*|related(?: .*)?|see also|further reading|resources|links|references|community|support|get(?:ting)? help|badges?|build status|roadmap|to-?do|security(?: contact.*| policy| disclosure.*)?|code of conduct|used by|who uses.*|testimonials|articles.*|talks|videos|discussion|inspiration|stargazers|star history|status|tests?|running (?:the )?tests|testing|benchmarks?|help(?: us| this| wanted).*|caught a bug.*|(?:known )?bugs?|(?:reporting )?issues|forks?|performance comparison|older versions?|previous versions?)$/i

const CHATTER =
  /^(?:see\b|read\b|check out|check the|refer to|visit\b|click|follow (?:us|me|the link)|join\b|please\b|thanks?\b|thank you|star\b|for (?:more|further|full|complete|additional|other|detailed) |learn more|more (?:info|details|examples)|here(?:'s| is| are|,)|below\b|above\b|the (?:following|above|below)\b|as follows|note:?$|tip:?$|warning:?$|important:?$|todo\b|tl;?dr|removed in|added in|new in|copyright|©|\(c\)|made with|built with|created by|maintained by|written by|inspired by|sponsored by|supported by|powered by|brought to you|feel free|pull requests?|prs? (?:are )?welcome|contributions|if you (?:like|love|find|want to (?:help|contribute)|have (?:any )?(?:questions|issues)|are interested)|i\b|i['’]|my\b|we (?:are|love|hope|would|think|believe)\b|let['’]s|hello|hi\b|welcome|congrat|yay|unfortunately,? i|want to|looking for|psst|fork\b|clone this|long nights|it['’]s |by the way|btw|example:|examples?$|usage$|(?:output|result)s?:|\d+\.\d+\.\d+)/i

const DANGLING =
  /^(?:(?:it|its|they|their|them|these|those|that|he|she|but|and|or|so|also|however|otherwise|instead|thus|hence|therefore|additionally|moreover|furthermore|similarly|likewise|conversely|nevertheless|still|yet|again|besides|which|where|above)\b|in (?:that|this|these|such|both|other|addition|short|fact|particular|contrast|any)\b|for (?:example|instance)|e\.g\.|i\.e\.|this(?: (?:is|was|will|can|could|may|might|would|should|means|makes|allows|does|has|includes?|also|one|way|example|section|page|document|table|list|approach|behaviou?r|case|happens|works|returns|gives|requires|ensures|helps|lets|enables|prevents|option|method|function|value|parameter|flag|setting|field|property))\b|such\b|both\b|same\b|another\b|all of (?:these|this|them)|each of (?:these|them)|as (?:mentioned|noted|described|shown|you can see|above|a result|such)|the (?:latter|former|same|other|second|first|last|next|previous|example)\b|on the other hand|after that|then,? (?!you)|now,? |if so|if not|else\b|unlike (?:this|that)|like (?:this|that)|more importantly|most of (?:these|them)|some of (?:these|them)|to do (?:this|so|that)|with (?:this|that|these)|from (?:this|there|here)|by doing|using (?:this|these|that)|because of (?:this|that))/i

// What points elsewhere in the text, or out of it.
const POINTING =
  /\b(?:this|these|those|such) (?:behaviou?rs?|options?|methods?|parameters?|functions?|cases?|pages?|sections?|examples?|values?|requirements?|situations?|results?|checks?|conventions?|ranges?|documents?|articles?|tables?|lists?|problems?|issues?|steps?|purposes?|reasons?)\b|\b(?:see|visit|check|read|consult|refer to) (?:the|our|also|its|this|how|\S+ (?:docs?|documentation|guide))\b|(?:^|[,;(–—-]\s*)see\s|\balso see\b|\bsee (?:tutorial|docs?|documentation|guide|example|readme|wiki)s?\b|\bthe (?:example|table|list|code|snippet|section)s? (?:above|below)|\b(?:above|below|following)[.)]*$/i

// Somebody speaks of himself.
const PERSONAL = /\bI(?:['’](?:ve|m|d|ll))?\b(?!\/)|\b(?:we['’](?:ve|re|d|ll)|me|my|[Ww]e|[Oo]ur|us)\b/

const ENUMERATING =
  /^(?:first(?:ly)?|second(?:ly)?|third(?:ly)?|lastly|fortunately|unfortunately|actually|basically|sadly|luckily|of course|note that|notice that|remember that|keep in mind|pay attention|specially|especially)\b/i

// Conditions without a consequence, and clauses that break off.
const FRAGMENT =
  /^(?:if|when|whenever|unless|because|since|while|although|though)\b[^,]*$|[,;]?\s(?:so|or|and|but|as|because|such as)[.,;]?$/i

const LEGAL =
  /\b(?:licen[sc]ed under|under the (?:terms of the )?(?:MIT|ISC|BSD|Apache|GPL)|MIT licen[sc]e|all rights reserved|copyright \(c\)|©|twitter|discord|slack|gitter|patreon|open ?collective|ko-fi|github sponsors|stack ?overflow|mailing list|newsletter|follow me|blog post|tweet)\b|©/i

const COMMAND =
  /^[$>#]?\s*(?:npm|npx|yarn|pnpm|bun|deno|pip3?|cargo|go|brew|apt(?:-get)?|gem|composer|git|curl|cd|mkdir|node|docker)\s+[\w@./-]+(?:\s|$)/

const words = (text: string): ReadonlyArray<string> =>
  text
    .replace(/`[^`]*`/g, " code ")
    .split(/[^\p{L}\p{N}'’-]+/u)
    .filter((word) => /\p{L}/u.test(word))

/** Names and types of parameters, operators and bare examples: the language of a reference table, no statement. */
const isDefinition = (text: string): boolean =>
  /^`[^`\p{L}]*`/u.test(text) ||
  text.startsWith("@") ||
  /^\S+ `[^`]+` /.test(text) ||
  (text.startsWith("`") && !/^`[^`]*`\s*[:–—-]/.test(text) && words(text.replace(/`[^`]*`/g, " ")).length < 4)

const codeShare = (text: string): number => {
  const code = (text.match(/`[^`]*`/g) ?? []).join("").length
  return code / text.length
}

const wellFormed = (text: string): boolean =>
  text.length <= LONGEST &&
  (text.match(/`/g)?.length ?? 0) % 2 === 0 &&
  (text.match(/"/g)?.length ?? 0) % 2 === 0 &&
  (text.match(/\(/g)?.length ?? 0) === (text.match(/\)/g)?.length ?? 0) &&
  !/https?:\/\/\S+$/.test(text) &&
  !/[<{]\/?[a-z]+[^`]*[>}]$/i.test(text.replace(/`[^`]*`/g, "")) &&
  !/[\u{1F1E6}-\u{1F1FF}\u{1F300}-\u{1FAFF}]{2,}/u.test(text) &&
  codeShare(text) < 0.7

/**
 * Whether a sentence states something about the product that stands by itself: no question, no invitation, no licence line,
 * no command, nothing that leans on the sentence before it.
 */
export const isTelling = (text: string, from: "paragraph" | "item"): boolean => {
  const count = words(text).length
  if (count < (from === "item" ? 3 : 5) || !wellFormed(text)) return false
  // An item that says "It cannot …" speaks of the product; in a paragraph the sentence before says what "it" is.
  const leaning =
    from === "item"
      ? text.replace(/^It(?= (?:can|does|is|has|will|supports?|validates?|requires?)(?:not)?\b)/, "")
      : text
  if (/[?:…]$|\.\.\.$/.test(text) || CHATTER.test(text) || DANGLING.test(leaning) || LEGAL.test(text)) return false
  if (
    PERSONAL.test(text.replace(/`[^`]*`/g, "")) ||
    POINTING.test(text) ||
    ENUMERATING.test(text) ||
    FRAGMENT.test(text.replace(/\s*\([^)]*\)/g, "")) ||
    text.startsWith("(")
  )
    return false
  if (from === "item" && isDefinition(text)) return false
  if (COMMAND.test(text) || COMMAND.test(text.replace(/^`|`$/g, ""))) return false
  return from === "item" || /[.!)]["'”’)]?$/.test(text)
}

/** Changes only what stands outside code. */
const outsideCode = (text: string, change: (prose: string) => string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join("")

const LEADING =
  /^\s*(?:\[[ x]\]\s+|(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|\uFE0F|\u200D|[✓✔])+\s*|(?:note|tip|warning|important|caution|n\.?b\.?)\s*[:!]\s*|[-–—•*]\s+|\d+[.)]\s+)+/iu

/**
 * The sentence as a claim says it: no leading list mark, emoji or label, no bracketed link word (`[more]`), no empty
 * brackets where a picture stood, no white space, comma or dash at the ends. Code is left as it is.
 */
export const tidy = (text: string): string =>
  outsideCode(text.replace(LEADING, ""), (prose) =>
    prose
      .replace(/\s*\[[A-Za-z0-9]{1,16}\]/g, "")
      .replace(/(\S)\s+([,.;!])(?=\s|$)/g, "$1$2")
      .replace(/\(\s+/g, "(")
      .replace(/\s+\)/g, ")")
      .replace(/\s+\(\s*\)/g, ""),
  )
    .replace(/\s+/g, " ")
    .replace(/(?<![\s,;–—-])[\s,;–—-]+$/, "")
    .trim()

const SMALL_WORD = /^(?:the|an?|if|when|while|this|to|for|in|on|with|by|you|all|each|every|no|there|use)(?=\s)/

/** A sentence with a capital first where it begins with a word that is surely no name. */
export const sentenceCase = (text: string): string =>
  text.replace(SMALL_WORD, (word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)

/** With a capital first, unless the first word is a name that is spelled small. */
export const capitalised = (text: string, smallNames: ReadonlyArray<string> = []): string => {
  const first = /^[a-z]+(?=[\s,])/.exec(text)?.[0]
  return first === undefined || smallNames.includes(first) ? text : `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
