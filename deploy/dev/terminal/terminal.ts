import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Where `carillon dev` talks to the person who started it. Colours only on a terminal, and not with NO_COLOR. */
export interface Terminal {
  line: (text: string) => void
  style: (style: Style, text: string) => string
}

export function openTerminal(stream: NodeJS.WriteStream): Terminal {
  return {
    line: (text) => void stream.write(`${text}\n`),
    style: (style, text) => styleText(style, text, { stream }),
  }
}

/** Text that somebody else wrote, on one line and without anything that a terminal would act upon. */
export function plain(text: string, maxLength = 100): string {
  const clean = stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ')
    .trim()
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean
}
