import { expect, test } from 'vitest'
import { plain } from './terminal.ts'

test.each([
  ['Welcome, Ada 👩‍🚀', 'Welcome, Ada 👩‍🚀'],
  ['two\r\nlines', 'two lines'],
  ['\u001b[31mred\u001b[0m', 'red'],
  ['\u001b]0;title\u0007 bell\u0007', 'bell'],
  ['\u202egnp.exe', 'gnp.exe'],
  ['x'.repeat(101), `${'x'.repeat(99)}…`],
])('%j is shown as %j', (text, shown) => {
  expect(plain(text)).toBe(shown)
})
