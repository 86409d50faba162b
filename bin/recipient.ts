import { StartRefused } from '../core/settings/start-refused.ts'

/** A recipient as the API has it, from `KIND=ADDRESS`. Throws StartRefused. @param flag where the text stands */
export function readRecipient(text: string, flag: string): Record<string, string> {
  const [property = '', address] = text.split(/=(.*)/s, 2)
  if (address === undefined)
    throw new StartRefused(`--${flag}: must be KIND=ADDRESS, such as email=ops@example.com`, 2)
  return { [property]: address }
}
