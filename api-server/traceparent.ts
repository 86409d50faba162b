/** Version 00 of W3C Trace Context (section 3.2.2): ids in lower case, neither all zeros. */
const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The caller's trace, to be carried on; a header of another form is ignored, as the standard asks. */
export function readTraceparent(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && form.test(header) ? header : undefined
}
