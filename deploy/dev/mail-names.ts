import { devSettings } from '../../core/settings/roles.ts'

const known = Object.values(devSettings).flatMap(({ env = '' }) => (env.startsWith('EMAIL_') ? [env] : []))

/**
 * What to say of variables that look like settings of the mail server and are none: with EMAIL_HOSTNAME for EMAIL_HOST all mail would be caught, and
 * nobody be told why. Variables that begin with SMTP_ or MAIL_ may be another program's, and count only while EMAIL_HOST is not set.
 */
export function unknownMailNames(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const meant = env['EMAIL_HOST'] ? /^EMAIL_/ : /^(EMAIL|SMTP|MAIL)_/
  const unknown = Object.keys(env).filter((name) => env[name] && meant.test(name) && !known.includes(name))
  if (unknown.length === 0) return undefined
  return `${unknown.toSorted().join(', ')}: not known here, and without effect; the mail server is set by ${known.join(', ')}`
}
