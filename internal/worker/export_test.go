package worker

import "unsafe"

// BodySize is how large a body is.
const BodySize = unsafe.Sizeof(Body{})
