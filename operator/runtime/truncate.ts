/** The longest beginning of a text that has no more than so many bytes of UTF-8 and ends with a whole character. Pure. */
export function truncate(text: string, bytes: number): string {
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return text
  let end = bytes
  // Bytes 10xxxxxx go on with the character before them.
  while ((encoded[end]! & 0xc0) === 0x80) end--
  return encoded.toString('utf8', 0, end)
}
