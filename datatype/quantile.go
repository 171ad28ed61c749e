package datatype

// The values of NormalFloat (QLoRA, arXiv 2305.14314) and Student Float (arXiv
// 2405.03103) are n quantiles of a distribution, divided by the largest of them. The
// distribution is the normal distribution, or Student's t-distribution with 5 degrees of
// freedom. n/2 probabilities are evenly spaced from δ to 1/2, and n/2 + 1 from 1/2 to
// 1−δ; both sequences contain 1/2. δ is the mean of 1/(2n) and 1/(2n−2), except that the
// published SF3 uses the δ of SF4. TestQuantiles of internal/gonumtest computes the
// values.
var (
	nf3Values = [...]float32{
		-1, -0.53502274, -0.24693143, 0,
		0.18333748, 0.38199395, 0.6229857, 1,
	}
	nf4Values = [...]float32{
		-1, -0.6961928, -0.52507293, -0.39491743, -0.28444132, -0.1847734, -0.09104998, 0,
		0.079580314, 0.16093014, 0.24611226, 0.33791512, 0.44070974, 0.5626169, 0.72295666, 1,
	}
	sf3Values = [...]float32{
		-1, -0.4108477, -0.18011881, 0,
		0.13296473, 0.2838347, 0.49107558, 1,
	}
	sf4Values = [...]float32{
		-1, -0.62778056, -0.454736, -0.33433074, -0.23743437, -0.15289871, -0.074982464, 0,
		0.065513074, 0.13296473, 0.20466101, 0.2838347, 0.37580484, 0.49107558, 0.65678114, 1,
	}
)
