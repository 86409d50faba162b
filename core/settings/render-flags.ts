import { z } from 'zod'
import { channelTypes } from '../resources/channel-type.ts'
import type { Setting } from './setting.ts'
import { commaList, jsonObject } from './values.ts'

/** What `carillon render` is to show: flags alone, since another command means something else. */

const text = (flag: string, description: string): Setting<string | undefined> => ({
  flag,
  description,
  schema: z.string().min(1, 'must not be empty').optional(),
})

export const renderFlags = {
  template: text('template', 'only the template of this name'),
  types: {
    flag: 'type',
    description: `only for these types of channel: ${channelTypes.join(', ')}`,
    schema: commaList
      .pipe(z.array(z.enum(channelTypes, { error: `must be of ${channelTypes.join(', ')}` })))
      .optional(),
  },
  locale: text('locale', 'in this language (that of the sample)'),
  data: {
    flag: 'data',
    description: 'with these data, an object in JSON, instead of the samples; needs --template',
    schema: jsonObject.optional(),
  },
}
