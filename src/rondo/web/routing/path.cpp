// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/path.hpp>

#include <stdexcept>

namespace rondo::path_error {

// Never called at run time: the compiler rejects the path and names the function in its error message.
void a_path_begins_with_a_slash() { throw std::invalid_argument("a path must start with a slash"); }
void a_parameter_is_a_whole_segment_written_between_angle_brackets() {
    throw std::invalid_argument("a parameter must be a whole segment: /<int:year>/, not /y<int:year>/");
}
void a_parameter_needs_a_name_of_letters_digits_and_underscores() {
    throw std::invalid_argument("a parameter name must consist of letters, digits and underscores");
}
void two_parameters_have_the_same_name() { throw std::invalid_argument("two parameters have the same name"); }
void a_path_holds_no_question_mark_no_hash_and_no_white_space() {
    throw std::invalid_argument("a path must not contain a question mark, a hash or white space");
}
void a_path_parameter_must_be_the_last_segment() {
    throw std::invalid_argument("a <path:...> parameter must be the last segment");
}
void a_path_has_at_most_16_parameters() { throw std::invalid_argument("a path must have at most 16 parameters"); }
void the_prefix_of_a_mounted_app_has_no_parameters_and_no_slash_at_its_end() {
    throw std::invalid_argument("a mount prefix must not have parameters or a trailing slash");
}
void the_view_takes_more_parameters_than_the_path_has() {
    throw std::invalid_argument("the view takes more parameters than the path has");
}
void the_path_has_more_parameters_than_the_view_takes() {
    throw std::invalid_argument("the path has more parameters than the view takes");
}
void the_converter_in_the_path_does_not_fit_the_type_of_the_views_parameter() {
    throw std::invalid_argument("the path converter does not match the type of the view's parameter");
}

}  // namespace rondo::path_error
