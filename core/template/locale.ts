import type { ChannelType } from '../resources/channel-type.ts'
import type { NotificationTemplateSpec } from '../resources/template.ts'

/** A content of one channel type, by part. */
export type Parts = Readonly<Record<string, unknown>>

/**
 * The content of a channel type in the nearest locale that the template has (RFC 4647 3.4, lookup): `de-AT`, then `de`, then the
 * default. What a locale leaves out comes from the next one. Letter case does not matter.
 * @returns the parts, and the locale that they are in; `undefined` when the template says nothing on this channel type.
 */
export function localizedContent(
  spec: NotificationTemplateSpec,
  type: ChannelType,
  locale: string | undefined,
): { parts: Parts; locale: string } | undefined {
  const content = spec.content[type]
  if (content === undefined) return undefined
  const matches = matchingLocales(spec, locale ?? spec.defaultLocale)
  const overrides = matches.map((match) => spec.locales[match]?.[type] ?? {})
  return {
    parts: Object.assign({}, content, ...overrides.toReversed()) as Parts,
    locale: matches[0] ?? spec.defaultLocale,
  }
}

/** Keys of `locales`, the most exact first. The default locale ends the search: its text is `content`. */
function matchingLocales(spec: NotificationTemplateSpec, wanted: string): string[] {
  const matches: string[] = []
  const subtags = wanted.toLowerCase().split('-')
  for (let length = subtags.length; length > 0; length--) {
    const candidate = subtags.slice(0, length).join('-')
    if (candidate === spec.defaultLocale.toLowerCase()) break
    const match = Object.keys(spec.locales).find((key) => key.toLowerCase() === candidate)
    if (match !== undefined) matches.push(match)
  }
  return matches
}
