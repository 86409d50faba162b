/** A text without what PostgreSQL takes in none: NUL, and half a surrogate pair where somebody cut it off. U+FFFD stands in their place. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
