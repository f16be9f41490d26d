// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/path.hpp>

#include <stdexcept>

namespace rondo::path_error {

// Never called at run time: the compiler rejects the path and names the function in its error message.
void a_path_must_start_with_a_slash() { throw std::invalid_argument("a path must start with a slash"); }
void a_parameter_must_be_a_whole_segment_in_angle_brackets() {
    throw std::invalid_argument("a parameter must be a whole segment: /<int:year>/, not /y<int:year>/");
}
void a_parameter_name_must_consist_of_letters_digits_and_underscores() {
    throw std::invalid_argument("a parameter name must consist of letters, digits and underscores");
}
void two_parameters_have_the_same_name() { throw std::invalid_argument("two parameters have the same name"); }
void a_path_must_not_contain_a_question_mark_a_hash_or_white_space() {
    throw std::invalid_argument("a path must not contain a question mark, a hash or white space");
}
void a_path_parameter_must_be_the_last_segment() {
    throw std::invalid_argument("a <path:...> parameter must be the last segment");
}
void a_path_must_have_at_most_16_parameters() { throw std::invalid_argument("a path must have at most 16 parameters"); }
void a_mount_prefix_must_not_have_parameters_or_a_trailing_slash() {
    throw std::invalid_argument("a mount prefix must not have parameters or a trailing slash");
}
void the_view_takes_more_parameters_than_the_path_has() {
    throw std::invalid_argument("the view takes more parameters than the path has");
}
void the_path_has_more_parameters_than_the_view_takes() {
    throw std::invalid_argument("the path has more parameters than the view takes");
}
void the_path_converter_does_not_match_the_type_of_the_view_parameter() {
    throw std::invalid_argument("the path converter does not match the type of the view's parameter");
}

}  // namespace rondo::path_error
