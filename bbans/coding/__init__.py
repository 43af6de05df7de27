"""Information as a stack: messages of the rANS entropy coder, codecs that push and pop symbols, and
their vectorised form over many lanes.

`rans` holds the message and its two operations. `codec` composes codecs from codecs. `lanes`
changes how many interleaved coders share a message, `blocks` codes many symbols over them,
`sub_interval` codes a part of an interval, and `meter` adds up code lengths by term.
"""
